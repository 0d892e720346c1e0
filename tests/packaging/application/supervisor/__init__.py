"""The application's own `supervisor`. Orpheus must never import it."""

raise AssertionError("Orpheus imported the application's supervisor")
