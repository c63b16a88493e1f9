"""The database: the open file, its schema and migrations, and what is read from and written to it."""
