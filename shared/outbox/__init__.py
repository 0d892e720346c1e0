"""The table of an outbox in an application's database: its name, and the SQL that makes it."""
