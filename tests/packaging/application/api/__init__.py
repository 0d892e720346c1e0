"""The application's own `api`. Orpheus must never import it."""

raise AssertionError("Orpheus imported the application's api")
