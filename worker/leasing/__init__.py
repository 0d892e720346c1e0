"""Leases jobs, renews the leases, and reports results. Job code is only run through attempt/."""
