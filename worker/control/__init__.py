"""Orders to a worker and its messages: signals, control channel, beats. Runs no job code."""
