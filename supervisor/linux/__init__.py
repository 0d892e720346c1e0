"""What the supervisor uses of Linux: processes, signals, locks, cgroups, systemd. No policy."""
