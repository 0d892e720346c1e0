"""What the process of a program does before it becomes the program, as a file that is run.

    python -I -S program_start.py SUPERVISOR_PID STOP_SIGNAL CWD ENV_FILE OWN PROGRAM [ARGUMENT…]

It gives signals their default actions, because Python and a launcher may have left some ignored.
Then PR_SET_PDEATHSIG, which outlasts exec, has the kernel ask the program to stop when the
supervisor dies, so that it never goes on unwatched beside the one that the next supervisor starts.
Then it changes to the folder CWD, adds the variables of the env_file, except those in OWN (their
names, joined by =, which no name contains), and execs. A folder or a file on a disk that hangs thus
holds up this process, and not the supervisor, which waits until it has exec'd Python. What goes
wrong is printed to stderr, which is the program's log, and ends it with 127, as a shell does.

It imports nothing that a start does not need: it runs at each one.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CANNOT_START = 127
_LARGEST_ENV_FILE_BYTES = 2**20


def main() -> None:
    """Become the program that the arguments name; return only if that fails."""
    supervisor_pid, stop_signal, cwd, env_file, own, *argv = sys.argv[1:]
    _reset_signals()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
    if os.getppid() != int(supervisor_pid):  # it died before that call, which would not tell
        sys.exit("The supervisor that started this program is gone.")
    kept = {name: os.environ[name] for name in own.split("=") if name in os.environ}
    step = f"change to {cwd!r}"
    try:
        if cwd:
            os.chdir(cwd)
        step = f"read {env_file!r}"
        variables = {**os.environ, **_variables(env_file), **kept}
        step = f"run {argv[0]!r}"
        os.execvpe(argv[0], argv, variables)  # noqa: S606 - this is what it is for
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        sys.stderr.write(f"orpheus: cannot {step}: {why}\n")
        sys.stderr.flush()
        os._exit(_CANNOT_START)


def _reset_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if number < signal.SIGRTMIN:  # the C library keeps the first real-time signals for itself
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _variables(env_file: str) -> dict[str, str]:
    if not env_file:
        return {}
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from orpheus.shared.domain.env_file import parse_env_file  # noqa: PLC0415 - seldom needed

    # A FIFO would wait for a writer.
    fd = os.open(env_file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:  # noqa: PTH123 - of a descriptor
        return parse_env_file(file.read(_LARGEST_ENV_FILE_BYTES).decode())


if __name__ == "__main__":
    main()
