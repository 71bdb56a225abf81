"""What the service remembers: tables, queries and their migrations, for SQLite and PostgreSQL alike."""
