"""What a screen or an API shows of questionnaires, campaigns and responses."""
