"""The customer file: its state, how events change it, and the rules that decide. No input or output."""
