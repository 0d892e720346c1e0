"""The supervisor: starts the API and every worker, watches them, and restarts what fails.

`policy` decides and touches nothing; `observe` and `act` are its eyes and hands; `loop` turns.
"""
