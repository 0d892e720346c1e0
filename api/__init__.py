"""The HTTP API: producers submit jobs here, and operators watch them over its event stream."""
