"""What this service does because of what others say."""
