"""Rows of the store as the JSON that the API and the command line show. Reads only."""
