"""Policies as data: what the packs declare, and the pure rules that read them."""
