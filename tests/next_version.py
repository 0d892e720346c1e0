"""The version of Orpheus that comes next: this one, with one more migration."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
_MIGRATION = """-- readable from: 0100
ALTER TABLE {}jobs ADD COLUMN note TEXT NOT NULL DEFAULT 'none';
"""


def make_next_version(folder: Path) -> Path:
    """Make a checkout of it, in which `python -m orpheus` starts it; return the folder."""
    root = folder / "next"
    for name in ("api", "config", "orpheus", "shared", "supervisor", "worker"):
        shutil.copytree(
            ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    (root / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "named_host.py", root / "tests")
    for backend, schema in (("sqlite", ""), ("postgres", "orpheus.")):
        migration = root / "shared" / "storage" / backend / "migrations" / "0101_next.sql"
        migration.write_text(_MIGRATION.format(schema))
    return root
