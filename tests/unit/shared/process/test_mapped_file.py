"""A mapped file has its blocks before it is written to: a full disk cannot kill a process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.crash_cell import Cell, CellState, read_cell
from orpheus.shared.process.mapped_file import create_mapped_file

ROOT = Path(__file__).parents[4]
IN_A_FULL_DISK = """
mount -t tmpfs -o size=64k small "$0" || exit 99
: > "$0/cell"; truncate --size=8 "$0/cell"
cat /dev/zero > "$0/ballast" 2> /dev/null
"$1" -c '
import sys
from pathlib import Path
from orpheus.shared.errors import DatabaseFull
from orpheus.shared.process.crash_cell import Cell
cell, ballast = Path(sys.argv[1], "cell"), Path(sys.argv[1], "ballast")
try:
    Cell.create(cell).enter(7, job_id=3)
except DatabaseFull as error:
    print(error)
ballast.unlink()
Cell.create(cell).enter(7, job_id=3)
print("entered")
' "$0"
"""


def test_a_full_disk_is_an_error_and_no_signal(tmp_path: Path) -> None:
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    if shutil.which("unshare") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs unshare")
    argv = ["unshare", *user, "--mount", "sh", "-c", IN_A_FULL_DISK, str(tmp_path), sys.executable]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode == 99:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("cannot mount a tmpfs here")
    assert ran.returncode == 0, ran
    assert ran.stdout == f"no space left on the device for {tmp_path}/cell\nentered\n"


def test_what_the_file_held_before_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "one"
    Cell.create(path).enter(7, job_id=3)
    create_mapped_file(path, 16).close()
    assert read_cell(path) == CellState(0, running=False)


def test_a_file_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "cells").touch()
    with pytest.raises(DatabaseUnusable, match=r"cannot make .*/cells/one"):
        create_mapped_file(tmp_path / "cells" / "one", 8)
