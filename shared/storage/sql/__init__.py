"""The queries that all backends share: every query has a name and states its purpose.

A backend leaves out what it does not know. SQLite has no schema `orpheus.`, and as it has one
writer, no row locks (FOR UPDATE). PostgreSQL plans by its statistics; SQLite is told the index
(INDEXED BY) and the order in which to read tables (CROSS JOIN … ON, which is a JOIN elsewhere).

A query that differs otherwise is in a file of the same name in the folder `sql` of each backend.
"""
