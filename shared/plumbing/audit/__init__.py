"""Who did what, when and under which version of the roles table, so that nobody can change it afterwards unnoticed."""
