"""Opening SQLite and PostgreSQL, transactions, and writing many rows at once."""
