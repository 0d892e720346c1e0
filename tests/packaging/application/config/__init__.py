"""The application's own `config`. Orpheus must never import it."""

raise AssertionError("Orpheus imported the application's config")
