"""Reporting: listens to all, says nothing, and answers with numbers (ARCHITECTURE §1, METRICS)."""
