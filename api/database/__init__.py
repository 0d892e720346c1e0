"""The API's way to the store: one writer thread and a few readers. No HTTP in here."""
