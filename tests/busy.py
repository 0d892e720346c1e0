"""Runs the whole suite beside processes that spin: on a busy machine it must be green as well.

usage: uv run python tests/busy.py [RUNS] [arguments of pytest …]
"""

import os
import subprocess
import sys
import time

SPINNING = 2
SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


def main(arguments: list[str]) -> int:
    """Run pytest so many times in a row; the exit code of the first run that fails."""
    runs = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else 1
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(SPINNING)]
    try:
        for number in range(1, runs + 1):
            began_s = time.monotonic()
            code = subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False)
            took_s = time.monotonic() - began_s
            sys.stdout.write(f"run {number} of {runs}: {code.returncode}, {took_s:.0f} s\n")
            if code.returncode:
                return code.returncode
    finally:
        for one in spinning:
            one.kill()
            one.wait()
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
