"""What a transaction rings for at its commit: room that it freed, jobs that it unparked.

The worker that made room by ending a job may not take the next one, so another is woken.
"""

import json

from orpheus.shared.storage.database import Database


def ring_for_freed_room(database: Database) -> None:
    """Note to ring for each limited queue that has room and work, and for each key."""
    at_commit = database.at_commit
    if at_commit.unparked:
        unparked = json.dumps(at_commit.unparked)
        rows = database.all(database.sql("keys.sql")["still-waiting"], unparked)
        at_commit.queues_with_work.update(row[0] for row in rows)
    freed = [(queue,) for queue in at_commit.queues_with_room]
    queues_sql = database.sql("queues.sql")
    if not freed or database.one(queues_sql["limits-running"]) is None:
        return
    found = database.run_many(queues_sql["has-room-and-work"], freed)
    at_commit.queues_with_work.update(row[0] for row in found)
