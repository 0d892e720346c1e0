"""The version of Orpheus."""

VERSION = "0.1.0"
"""As in the metadata of the package, which takes 20 ms to read. A test compares them."""
