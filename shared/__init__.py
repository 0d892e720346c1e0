"""What all programs share: data, decisions and the store. It imports none of the programs."""
