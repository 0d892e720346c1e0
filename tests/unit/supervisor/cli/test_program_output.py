"""How much of a program's output is printed."""

import pytest

from orpheus.shared.process.program_logs import LogFiles
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import program_output
from orpheus.supervisor.cli.program_output import print_output


@pytest.mark.parametrize(("count", "first"), [(0, 30), (1, 29), (7, 23), (25, 5), (99, 0)])
def test_the_newest_lines_are_printed_also_if_they_take_several_reads(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    count: int,
    first: int,
) -> None:
    monkeypatch.setattr(program_output, "_LINES_AT_ONCE", 10)
    log = LogFiles(store.state.program_log("web-1"), 10_000, 3)
    for number in range(30):
        log.write(f"2026-01-01T00:00:00.000Z stdout line {number}\n".encode())
    log.close()
    print_output(store, "web-1", None, count, follow=False, as_json=False)
    printed = [line.split()[-1] for line in capsys.readouterr().out.splitlines()]
    assert printed == [str(number) for number in range(first, 30)]


def test_colours_are_left_out_and_no_other_escape_gets_through(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogFiles(store.state.program_log("web-1"), 10_000, 3)
    log.write(b"2026-01-01T00:00:00.000Z stdout \x1b[1;32mINFO\x1b[0m up \x1b[2J\x1b[\x1b[0m31m\n")
    log.close()
    print_output(store, "web-1", None, None, follow=False, as_json=False)
    assert capsys.readouterr().out.endswith(r"INFO up \x1b[2J\x1b[31m" + "\n")
    print_output(store, "web-1", None, None, follow=False, as_json=True)
    assert r"\u001b[1;32mINFO" in capsys.readouterr().out
