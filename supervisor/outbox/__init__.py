"""Make jobs of the rows in applications' outboxes, one thread for each outbox."""
