"""Convert the files of cron, supervisord and foreman to entries of orpheus.toml. Pure.

Each converter carries over what is common. Everything else is returned as `Left`, with its line.
"""
