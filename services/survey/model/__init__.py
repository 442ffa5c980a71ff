"""Questionnaires, campaigns and responses: their states, how events change them, and the rules that decide."""
