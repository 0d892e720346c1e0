"""Where a host has its files: beside a SQLite file as ever, or in a folder that many may share."""

from pathlib import Path

from orpheus.shared.process.state_files import StateFiles, prefix_in


def test_the_files_of_an_incarnation_are_together(tmp_path: Path) -> None:
    files = StateFiles("the database", f"{tmp_path}/orpheus.db", tmp_path / "supervisor.lock")
    assert files.folder == tmp_path
    assert files.bells == tmp_path / "orpheus.db-bells"
    assert files.configurations == tmp_path / "supervisor-configurations"
    assert files.cell("life-1") == tmp_path / "orpheus.db-cells" / "life-1"
    assert files.crash("life-1") == Path(f"{files.cell('life-1')}.crash")
    assert files.stack("life-1") == Path(f"{files.cell('life-1')}.stack")


def test_two_databases_of_one_name_have_different_files(tmp_path: Path) -> None:
    one = prefix_in(tmp_path, "/a/orpheus.db", "orpheus.db")
    other = prefix_in(tmp_path, "/b/orpheus.db", "orpheus.db")
    assert one != other
    assert prefix_in(tmp_path, "/a/orpheus.db", "orpheus.db") == one
