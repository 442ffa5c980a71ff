"""Metrics: one file per theme with fold, what a fact counts, and the formulas."""
