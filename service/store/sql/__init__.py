"""How SQLite and PostgreSQL are opened, written and shared."""
