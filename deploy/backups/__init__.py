"""Backups: all documents of a service as they were at one moment, sealed; the keys of persons apart from them."""
