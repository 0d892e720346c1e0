"""The application's own `shared`: its job uses it."""

TAX_PERCENT = 19


def with_tax(cents: int) -> int:
    """Return a price with tax."""
    return cents + cents * TAX_PERCENT // 100
