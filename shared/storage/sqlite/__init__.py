"""The SQLite backend. Only shared.storage names it."""
