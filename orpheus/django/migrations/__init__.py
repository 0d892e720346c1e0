"""The outbox, which Orpheus reads but Django has to make."""
