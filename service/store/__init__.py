"""The database of the service: tables, queries and migrations, for SQLite and for PostgreSQL."""
