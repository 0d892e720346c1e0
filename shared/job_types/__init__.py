"""Job types: declared with `@job`, described as JSON Schema, checked when a job is submitted."""
