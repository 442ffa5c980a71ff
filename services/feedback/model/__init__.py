"""A case: its state, how events change it, and the rules of our own desk and of outside ones. No input or output."""
