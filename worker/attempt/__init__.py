"""One attempt of one job: run its code, collect its output and result. No storage in here."""
