"""One module for each system: its job, its client, its worker processes. All have the same names.

- `prepare()`: make the schema, where there is one.
- `enqueue_one(n)`: return when job `n` is stored.
- `enqueue_many(first, count)`: the fastest way the system offers.
- `left()`: how many jobs the system itself does not yet regard as finished.
- `WORKERS`: the commands that start two worker processes, with the system's recommended settings.

Nothing is known here of what is measured. Where the system keeps its data is in the environment:
`BENCHMARK_FOLDER`, or `BENCHMARK_SERVER` with the URL of its server.
"""
