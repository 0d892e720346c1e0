"""The command line `orpheus …`, one file per subject; app.py lists the commands.

It opens the database itself, so it works while everything is stopped. The supervisor's own code
must not come in: a command asks a running supervisor through the database.
"""
