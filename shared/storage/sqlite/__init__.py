"""The SQLite backend. Only shared/storage/__init__.py names it."""
