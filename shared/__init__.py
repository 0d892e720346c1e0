"""What all programs share: data, decisions, the store. It imports none of the programs."""
