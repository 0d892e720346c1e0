"""The SQLite backend: the connection, the SQL of the verbs, the schema.

Only shared/storage/__init__.py imports it, and it imports no program and no configuration.
"""
