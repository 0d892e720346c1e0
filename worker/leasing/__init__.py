"""Lease jobs, hold and renew their leases, report what ended. No job code runs in here."""
