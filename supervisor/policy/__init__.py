"""The decisions about slots. Pure: no I/O, no clock, no random; everything comes in as values."""
