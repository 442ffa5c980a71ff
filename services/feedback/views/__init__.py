"""What a screen or an API shows of cases."""
