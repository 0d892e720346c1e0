"""From settings to what should run, at the start and at each reload. It starts no process."""
