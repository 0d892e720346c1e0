"""The HTTP calls of contract.md §5, one file for each subject."""
