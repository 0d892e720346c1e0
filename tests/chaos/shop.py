"""An application with an outbox in its own SQLite file: does what it is told, a line at a time.

Usage: shop.py DATABASE. `add 0 100` commits rows with these indexes, `lock` lets nobody else read
from the next `add` on, `unlock` ends that, `rows` counts the rows. Each is answered by one line.
"""

import sys

import apsw

from orpheus import outbox
from orpheus.shared.outbox.table import create_table

ROW_BYTES = 10_000


def main(file: str) -> None:
    """Until the end of the input."""
    connection = apsw.Connection(file)
    connection.set_busy_timeout(10_000)
    connection.execute(create_table("sqlite"))
    for line in sys.stdin:
        match line.split():
            case ["add", first, end]:
                with connection:
                    for index in range(int(first), int(end)):
                        payload = {"request": 0, "index": index, "secret": "x" * ROW_BYTES}
                        outbox.add(connection, "asked", payload)
            case ["lock"]:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            case ["unlock"]:
                connection.execute("PRAGMA locking_mode = NORMAL")
        rows = connection.execute("SELECT count(*) FROM orpheus_outbox").fetchall()[0][0]
        sys.stdout.write(f"{rows}\n")
        sys.stdout.flush()


main(sys.argv[1])
