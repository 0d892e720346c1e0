"""What the supervisor asks of Linux: signals, adopted processes, locks, memory. No policy."""
