"""Where the shop keeps its files: in the current folder, as those of config/orpheus.toml."""

from pathlib import Path

DATA = Path("data")
DATABASE = DATA / "shop.db"
PICTURES = DATA / "pictures"
REPORTS = DATA / "reports"
