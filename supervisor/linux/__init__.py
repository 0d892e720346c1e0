"""What the supervisor uses of Linux: signals, adoption, locks, cgroups, systemd. No policy."""
