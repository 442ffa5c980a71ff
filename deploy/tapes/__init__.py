"""Tapes: other companies' data as intake events, produced as a foreign system would (nothing of ours is imported)."""
