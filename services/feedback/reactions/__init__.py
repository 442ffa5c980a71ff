"""What this service does when another says something: one policy, one file."""
