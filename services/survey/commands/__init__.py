"""What people and foreign systems ask of this service: one file, one use case."""
