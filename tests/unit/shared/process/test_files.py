"""Files and folders of ours are private, or are refused with a reason; a full disk is an error."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from orpheus.shared.errors import DatabaseFull, DatabaseUnusable
from orpheus.shared.process.files import (
    make_folder,
    make_private_folder,
    refuse_link,
)

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


def test_each_folder_that_is_made_is_private_and_those_that_are_there_stay(tmp_path: Path) -> None:
    there, folder = tmp_path / "there", tmp_path / "there" / "above" / "folder"
    before = os.umask(0)
    try:
        there.mkdir(mode=0o755)
        make_folder(folder)
        make_folder(folder)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent, there)]
    assert modes == [0o700, 0o700, 0o755]


def test_one_that_everyone_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(DatabaseUnusable, match="is writable by everyone"):
        make_private_folder(tmp_path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    refuse_link(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(DatabaseUnusable, match="link is a symbolic link"):
        refuse_link(tmp_path / "link")


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DatabaseFull), (errno.EROFS, DatabaseUnusable)]
)
def test_a_full_and_a_read_only_disk_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def mkdir(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(error, match=r"/state"):
        make_private_folder(tmp_path / "state")
