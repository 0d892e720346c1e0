"""The decisions about slots, as pure functions: no I/O, no clock, no random numbers."""
