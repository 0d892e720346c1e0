"""A mistyped setting is shown where that shows no secret, so that it can be mended on the page."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.editing.toml import masked, unmasked
from orpheus.shared.operations.configuration import MASK, Edit, EditOutcome
from orpheus.shared.storage import state_files

Toml = Callable[[str], Path]


def outcome(path: Path, text: str) -> EditOutcome:
    return (
        ConfigurationFile(path, (), {}, state_files("sqlite:///o.db"))
        .plan(Edit(text), None, lambda _: {})
        .outcome
    )


@pytest.mark.parametrize(
    "text",
    [
        "[jobs]\nmax_retires = 4\n",
        '[jobs]\ntimeut = "15m"\n',
        "[jobs]\nbackof_factor = 1.5\n",
        "[api]\nread_olny = true\n",
        '[logging]\nlevl = "debug"\n',
        '[pools.mail]\nwokers = 2\nmax_memroy_mb = 500\nmx_age = "1h"\n',
        '[queues."a.b"]\nrat = "120/m"\n',
        "[jobs]\nport = 8912 # of [api]\n",
        "jobs = { max_retires = 4 }\n",
        "max_retries = 4\n[jobs]\n",
        "[[schedules]]\nname = 'a'\ntype = 'b'\nevry = '1h'\npriorty = 5\ncatchup = 'all'\n",
        "[[schedules]]\nname = 'a'\ntype = 'b'\nchron = '0 2 * * *'\ntimezon = 'Europe/Berlin'\n",
    ],
)
def test_what_only_a_plain_setting_can_mean_is_shown(text: str) -> None:
    assert masked(text) == (text, 0)


@pytest.mark.parametrize(
    "text",
    [
        "[api]\ntoken = 'hunter2'\n",
        "[api]\ntoken = 123456\n",
        "[api]\nhots = 'hunter2'\n",
        "[api]\nallowed_host = ['hunter2']\n",
        "[database]\ndurabilty = 'power'\n",
        "[database]\nurll = 'sqlite:///a.db'\n",
        "[jobs]\nmax_retires = 'hunter2'\n",
        "[jobs]\nmax_retires = 4711\n",
        "[jobs]\nmax_retires = { n = 4 }\n",
        "[jobs]\nmax_retires = [4]\n",
        "[jobs]\nsecret = 4\n",
        "[jobs]\nenv = 4\n",
        "[logging]\nlevl = 'hunter2'\n",
        "[loging]\nlevel = 'debug'\n",
        "[x]\nmax_retries = 4\n",
        "[queues.a]\nrat = 'hunter2'\n",
        "[pools.a]\nqueus = ['hunter2']\n",
        "[pools]\nwokers = 2\n",
        "[pools.a.b]\nwokers = 2\n",
        "[[alerts]]\nname = 'a'\non = ['job.failed']\nwebhok = 4\naftr = 4\n",
        "[[commands]]\nname = 'a'\nargv = ['a']\ntimeut = 60\n",
        "[[commands]]\nname = 'a'\nargv = ['a']\nenv.timeut = 60\nenw = 60\n",
        "[[programs]]\nname = 'a'\nargv = ['a']\ninstnces = 2\nready = { afer = 1 }\n",
        "[[outboxes]]\nname = 'a'\nurl = 'sqlite:///a.db'\npol = 4\n",
        "[[schedules]]\nname = 'a'\ntype = 'b'\nevery = 60\npaylod = 4\n",
        "[api]\nport_key = 4711\n",
        "[retention]\nsecrets = 48151623\n",
        "[retention]\nnonce = '4711s'\n",
        "[leases]\nrecovery = 4711\n",
        "[[schedules]]\nname = 'a'\ntype = 'b'\nevery = 60\nnonce = '4711s'\n",
        "[[schedules]]\nname = 'a'\ntype = 'b'\nevery = 60\nrecovery = 4711\n",
    ],
)
def test_what_could_be_a_secret_is_masked(text: str) -> None:
    shown, count = masked(text)
    values = [line.partition(" = ")[2] for line in shown.splitlines() if MASK in line]
    assert count and len(values) >= 1
    assert "hunter2" not in shown
    assert unmasked(shown, text) == text


def test_a_secret_beside_a_mistyped_setting_stays_masked() -> None:
    text = "[jobs]\nmax_retires = 4\n[[alerts]]\nname = 'a'\nwebhook = \"https://x/hunter2\"\n"
    shown, count = masked(text)
    assert (count, shown) == (1, text.replace("https://x/hunter2", MASK))
    mended = shown.replace("max_retires", "max_retries")
    assert unmasked(mended, text) == text.replace("max_retires", "max_retries")


def test_a_mistyped_setting_is_mended_with_the_masks_of_others_in_the_text(toml: Toml) -> None:
    path = toml("[jobs]\nmax_retires = 4\n[[commands]]\nname='a'\nargv=['a']\nenv.K = 'hush'\n")
    shown = ConfigurationFile(path, (), {}, state_files("sqlite:///o.db")).show().text
    assert shown is not None
    assert outcome(path, shown.replace("max_retires", "max_retries")).problems == ()


def test_a_mask_that_is_left_is_told_with_its_line_and_what_to_write(toml: Toml) -> None:
    path = toml("[jobs]\n\n[api]\ntokn = 'hush' # a comment\nhots = 'hush'\n")
    shown = ConfigurationFile(path, (), {}, state_files("sqlite:///o.db")).show().text
    assert shown is not None
    found = outcome(path, shown.replace("tokn", "token_file").replace("hots", "host"))
    assert [problem.line for problem in found.problems] == [4, 5]
    (detail,) = {problem.detail for problem in found.problems}
    assert detail == f"{MASK} stands for a secret that is not shown: write the value in its place"
    assert "hush" not in repr(found)
