"""The connections that an application has in its hand: what is a wrapper, and what is in it.

No library is imported here: an application with such a connection has done that.
"""

from typing import Any


def is_session(connection: Any) -> bool:
    """Return whether it is a Session of SQLAlchemy, blocking or not."""
    return hasattr(connection, "get_bind")


def is_of_sqlalchemy(connection: Any) -> bool:
    """Return whether it is a Connection of SQLAlchemy, blocking or not."""
    return hasattr(connection, "exec_driver_sql")


def is_of_django(connection: Any) -> bool:
    """Return whether it is one of Django's, such as `django.db.connection`."""
    return hasattr(connection, "ensure_connection")


def unwrapped(connection: Any) -> Any:
    """Return the Connection of a Session, and the driver's, opened now, of one of Django.

    Any other is returned as it is. Of an asynchronous Session it is what is to be awaited.
    """
    if is_session(connection):
        return connection.connection()
    if is_of_django(connection):
        connection.ensure_connection()
        return connection.connection
    return connection
