"""What the API answers and the command line prints as JSON."""
