"""An application: commits orders, each with the job that it needs, until there are enough.

Usage: outbox_writer.py DATABASE ORDERS SEED. Some transactions are rolled back on purpose.
"""

import random
import sqlite3  # noqa: TID251 - what applications use
import sys
import time

from orpheus import outbox


def main(file: str, orders: int, seed: int) -> None:
    """Write until the database has so many orders."""
    chance = random.Random(seed)
    connection = sqlite3.connect(file, timeout=30)
    while connection.execute("SELECT count(*) FROM orders").fetchone()[0] < orders:
        for _ in range(chance.randrange(1, 30)):
            order = connection.execute("INSERT INTO orders DEFAULT VALUES").lastrowid
            outbox.add(connection, "sum_range", {"n": order})
        if chance.random() < 0.2:
            connection.rollback()
        else:
            connection.commit()
        time.sleep(0.01)  # else it might be done before it is killed


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
