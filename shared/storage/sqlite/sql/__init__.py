"""Every query, by name and with its purpose."""
