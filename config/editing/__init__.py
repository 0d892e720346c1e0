"""The TOML file as it is edited from afar: shown, checked, replaced with its comments kept."""
