"""The location of an error is the last frame of the user's code."""

import traceback

import pytest

from orpheus.shared.domain.error_location import MOST_CHARS, location_of

FRAMES = """Traceback (most recent call last):
  File "/srv/app/jobs.py", line 7, in thumbnails
    resize(path)
  File "/srv/app/images.py", line 12, in resize
    raise ValueError(path)
ValueError: no such file
"""


def location_of_raised(code: str) -> str:
    try:
        exec(compile(code, "/srv/jobs.py", "exec"), {})
    except Exception as error:  # noqa: BLE001
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        return location_of("".join(traceback.format_exception(type(error), error, trace)))
    return "nothing was raised"


def test_it_is_the_last_frame_without_folders() -> None:
    assert location_of(FRAMES) == "images.py:12 in resize"


@pytest.mark.parametrize("text", [None, "", "Traceback …", "CommandFailed: exit code 3"])
def test_an_error_without_frames_has_no_location(text: str | None) -> None:
    assert location_of(text) == ""


def test_what_a_dead_worker_was_doing_is_no_location() -> None:
    stack = 'Current thread 0x7f (most recent call first):\n  File "a.py", line 3 in f\n'
    assert location_of(stack) == ""


def test_of_an_exception_raised_while_another_was_handled_it_is_the_later_location() -> None:
    code = "try:\n    int('a')\nexcept ValueError:\n    raise KeyError('b')"
    assert location_of_raised(code) == "jobs.py:4 in <module>"


def test_of_an_exception_group_it_is_where_the_group_was_raised() -> None:
    code = "found = []\ntry:\n    int('a')\nexcept ValueError as error:\n    found.append(error)\n"
    assert (
        location_of_raised(code + "raise ExceptionGroup('all', found)") == "jobs.py:6 in <module>"
    )


def test_it_is_cut_as_an_index_holds_it() -> None:
    name = "f" * 5000
    location = location_of(f'  File "jobs.py", line 1, in {name}\n')
    assert location.startswith("jobs.py:1 in fff")
    assert len(location) == MOST_CHARS
