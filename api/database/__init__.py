"""The API's way to the store: a writer, a few readers, threads for long calls. No HTTP in here."""
