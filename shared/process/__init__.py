"""What a process needs of Linux: channel, doorbells, clock, crash cell. No job logic."""
