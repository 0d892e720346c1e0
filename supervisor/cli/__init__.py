"""The command line `orpheus …`, one file a subject. It opens the database itself."""
