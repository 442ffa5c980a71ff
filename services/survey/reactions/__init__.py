"""What the survey service does because of what others say."""
