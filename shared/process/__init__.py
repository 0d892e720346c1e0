"""What a process needs from Linux: channel, doorbells, clock, crash cell. No job logic."""
