"""The schema of the PostgreSQL backend, as numbered SQL files. No code comes in here."""
