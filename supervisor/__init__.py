"""The supervisor: starts the API and every worker, watches them, and restarts them when they fail.

`policy` decides, `loop` observes and acts, `plan` turns settings into what should run, `linux` asks
the kernel, `recorder` writes to the database, `cli` is the command line.
"""
