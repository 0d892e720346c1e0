"""The location of an error is the last frame of the application's code."""

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


def traceback_of(*files: str) -> str:
    frames = (f'  File "{file}", line {n}, in f{n}\n    call()' for n, file in enumerate(files, 1))
    return "\n".join(("Traceback (most recent call last):", *frames, "ValueError: no"))


@pytest.mark.parametrize(
    "library",
    [
        "/srv/.venv/lib/python3.11/site-packages/requests/api.py",
        "/usr/lib/python3/dist-packages/psycopg/cursor.py",
        "/usr/lib/python3.11/json/decoder.py",
        "/usr/lib64/python3.12/json/decoder.py",
        "<frozen importlib._bootstrap>",
        "<attrs generated init jobs.Order>",
    ],
)
def test_the_frames_of_a_library_are_left_out(library: str) -> None:
    assert location_of(traceback_of("/srv/jobs.py", library)) == "jobs.py:1 in f1"
    assert location_of(traceback_of(library, "/srv/jobs.py", library, library)) == "jobs.py:2 in f2"
    assert location_of(traceback_of("/srv/jobs.py", library, "/srv/shop.py")) == "shop.py:3 in f3"


def test_an_application_that_is_installed_is_the_package_of_the_first_frame() -> None:
    packages = "/usr/local/lib/python3.11/site-packages"
    shop, lib = f"{packages}/shop/jobs.py", f"{packages}/requests/api.py"
    assert location_of(traceback_of(shop, shop, lib, lib)) == "jobs.py:2 in f2"


def test_if_all_frames_are_of_libraries_it_is_the_last() -> None:
    lib = "/usr/lib/python3.11/json/decoder.py"
    assert location_of(traceback_of(lib, lib)) == "decoder.py:2 in f2"


def test_an_error_that_was_handled_before_has_another_location() -> None:
    lib = "/srv/lib/python3.11/site-packages/tenacity/__init__.py"
    text = traceback_of("/srv/jobs.py")
    chained = f"{text}\n\nDuring handling of the above exception, …\n\n{traceback_of(lib)}"
    assert location_of(chained) == "__init__.py:1 in f1"


@pytest.mark.parametrize("text", [None, "", "Traceback …", "CommandFailed: exit code 3"])
def test_an_error_without_frames_has_no_location(text: str | None) -> None:
    assert location_of(text) == ""


def test_what_a_dead_worker_was_doing_begins_with_its_location() -> None:
    files = ("/usr/lib/python3.11/json/decoder.py", "a.py", "orpheus/worker/attempt/executor.py")
    frames = "".join(f'  File "{file}", line {n} in f{n}\n' for n, file in enumerate(files))
    fence = 'Thread 0x6f (most recent call first):\n  File "b.py", line 9 in f\n\n'
    stack = f"Fatal Python error: Aborted\n\n{fence}Current thread 0x7f (most …):\n{frames}"
    assert location_of(stack) == "a.py:1 in f1"


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
