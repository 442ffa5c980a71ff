"""`manyi bench`: how fast, beside what one would use instead, on the same machine in the same run."""
