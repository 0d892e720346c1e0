"""The start of the program."""

import subprocess
import sys


def test_nothing_large_is_imported_before_the_death_of_the_supervisor_would_be_noticed() -> None:
    code = (
        "import sys; import orpheus.api.__main__; "
        "print(sorted({'fastapi', 'uvicorn', 'starlette', 'pydantic'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
