"""Load, check, hand over and edit the configuration: a TOML file, variables and `--set`.

It starts nothing and opens no database; no program and no storage may come in.
"""
