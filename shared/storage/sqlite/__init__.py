"""The SQLite backend: the verbs of the store and their SQL.

Only shared/storage/__init__.py imports it, and it imports no program and no configuration.
"""
