"""Edit the TOML file over HTTP: show it, check a change, replace it and keep its comments.

Only what runs the programs may come in here: nothing of HTTP, and nothing of the database.
"""
