"""The commands of `orpheus`, by subject."""
