"""Configuration: one TOML file, `ORPHEUS_…` variables and `--set`."""
