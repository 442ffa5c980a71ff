"""Who may do what on which rows and sees which fields: the table as data, and the pure decision (DOMAIN E4)."""
