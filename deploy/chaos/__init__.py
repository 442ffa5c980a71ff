"""`manyi chaos`: the whole system under load while its processes are killed, paused, fed twice and lied to."""
