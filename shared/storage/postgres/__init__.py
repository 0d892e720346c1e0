"""The store on PostgreSQL, for many machines: the engine under the verbs, its queries, its schema.

No verb may come in here. psycopg is an extra: it is imported nowhere else in shared/, and only if a
URL asks for it.
"""
