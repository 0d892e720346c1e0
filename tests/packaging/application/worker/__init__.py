"""The application's own `worker`. Orpheus must never import it."""

raise AssertionError("Orpheus imported the application's worker")
