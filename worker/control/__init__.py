"""What a worker hears and says: signals, the control channel, heartbeats. No job runs in here."""
