"""The system on Docker: image, locked packages, keys."""
