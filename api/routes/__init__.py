"""The HTTP calls, one file for each noun. What routes share is in api/http/."""
