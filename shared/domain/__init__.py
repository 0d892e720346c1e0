"""The data and rules of jobs, queues, schedules and processes. Pure: no I/O, clock or random."""
