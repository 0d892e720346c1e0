"""The verbs of the store, the same for every backend. No SQL and no backend may come in here."""
