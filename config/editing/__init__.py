"""Edit the TOML file: show it, check a change, replace it, keep its comments and its versions.

Only what runs the programs may come in here: nothing of HTTP, and nothing of the database.
"""
