"""The shop's payment provider and its carrier: here tables, elsewhere calls over the network.

Both take a key with each request, as most such services do. A request that comes again with its
key changes nothing and gets the first answer.
"""

import database


def charge(key: str, order: int, amount: int) -> str:
    """Take the money for an order; return the number of the payment."""
    with database.transaction() as shop:
        shop.execute(
            "INSERT INTO payments (key, order_id, amount) VALUES (?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET requests = requests + 1",
            (key, order, amount),
        )
    return f"payment-{key[:8]}"


def refund(key: str, order: int) -> None:
    """Give the money back."""
    with database.transaction() as shop:
        [(amount,)] = shop.execute(
            "SELECT amount FROM payments WHERE order_id = ? AND amount > 0", (order,)
        ).fetchall()
    charge(key, order, -amount)


def ship(key: str, order: int) -> str:
    """Hand an order over to the carrier; return the number of the parcel."""
    with database.transaction() as shop:
        shop.execute(
            "INSERT INTO parcels (key, order_id) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET requests = requests + 1",
            (key, order),
        )
    return f"parcel-{key[:8]}"
