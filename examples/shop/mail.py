"""The mail service of the shop: here a table and a pause, elsewhere a call over the network."""

import time

import database

ANSWERS_AFTER_S = 0.2


def send(key: str, recipient: str, order: int, subject: str) -> bool:
    """Send a mail, unless one with this key was sent before; return whether it is a new one.

    Most services have such a key. It is how a job that runs again after a crash sends one mail.
    """
    with database.transaction() as shop:
        is_new = shop.execute(
            "INSERT INTO mails VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (key, recipient, order, subject),
        ).rowcount
    time.sleep(ANSWERS_AFTER_S)
    return is_new == 1
