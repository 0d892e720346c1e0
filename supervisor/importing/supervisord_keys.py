"""What each key of supervisord becomes, or why it becomes nothing."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from orpheus.supervisor.importing.imported import Left
from orpheus.supervisor.importing.supervisord_file import Section, Unusable

LONGEST_START_S = 59
"""Just under the default of `[supervisor] start_timeout`, below which `ready` must be."""
LONGEST_STOP_S = 39
"""Just under the default of `[supervisor] shutdown_deadline`, below which a stop must be."""
SMALLEST_LOG_BYTES, LARGEST_LOG_BYTES = 65_536, 2**30
MOST_LOG_FILES = 1000
_SIZE = re.compile(r"(?P<number>\d{1,12})(?P<unit>[KMG]B)?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}
_WRITTEN = {"KB": "KiB", "MB": "MiB", "GB": "GiB"}
_SIGNALS = frozenset({"TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2"})
_TRUE, _FALSE = ("true", "on", "yes", "1", "t", "y"), ("false", "off", "no", "0", "f", "n")
_ITS_LOG = ("what Orpheus logs goes to its stderr", "let systemd or the container keep it")
_NOT_NEEDED = ("Orpheus has no such setting", "nothing is needed")
_OUTPUT = "what a program writes is kept in files of Orpheus' own"
_ONE_OUTPUT = "stdout and stderr of a program are kept in the same files"
_READ_IT = "read it with orpheus logs SLOT --follow"
_FOR_ALL = "how often a program is restarted is one setting for all"

SECTIONS: dict[str, tuple[str, str]] = {
    "unix_http_server": ("the command line needs no server", "use orpheus status, restart, logs"),
    "inet_http_server": (
        "the API and the dashboard have their own settings",
        "set host, port and token_file of [api]",
    ),
    "supervisorctl": ("the command line needs no server", "use orpheus status, restart, logs"),
    "rpcinterface": ("there is no XML-RPC", "use the HTTP API: /workers, and /docs for the rest"),
    "ctlplugin": ("the command line has no plugins", "use the HTTP API: /docs"),
    "group": ("programs have no groups", "name each program: orpheus restart NAME-1"),
    "eventlistener": (
        "Orpheus does not speak the protocol of event listeners",
        "read the events of GET /events, which has all of them without a gap",
    ),
    "fcgi-program": (
        "Orpheus opens no FastCGI socket for a program",
        "let the program open its own, such as php-fpm does, and write a [[programs]] entry",
    ),
    "memmon": ("a program has its own limit of memory", "set max_memory_mb of [[programs]]"),
    "": ("supervisord does not know this section, nor does Orpheus", "see whether it is needed"),
}
"""Kind of a section -> why it is not carried over, and what to do instead; "": any other."""

DAEMON_KEYS: dict[str, tuple[str, str]] = {
    "logfile": _ITS_LOG,
    "logfile_maxbytes": _ITS_LOG,
    "logfile_backups": _ITS_LOG,
    "loglevel": ("the levels have other names", "set level of [logging]"),
    "silent": _ITS_LOG,
    "pidfile": ("Orpheus writes no pid file", "ask orpheus workers, or systemd"),
    "nodaemon": ("Orpheus always stays in the foreground", "nothing is needed"),
    "user": ("Orpheus does not change its user", "start it as that user: User= in systemd"),
    "umask": ("Orpheus does not set it", "set it where Orpheus is started: UMask= in systemd"),
    "directory": ("Orpheus does not change its folder", "start it there, or set cwd of each entry"),
    "minfds": ("Orpheus does not raise limits", "set LimitNOFILE= in systemd"),
    "minprocs": ("Orpheus does not raise limits", "set LimitNPROC= in systemd"),
    "childlogdir": (_OUTPUT, "set state_dir of [database]"),
    "nocleanup": _NOT_NEEDED,
    "strip_ansi": ("output is kept as it is written", "remove the codes when reading it"),
    "identifier": _NOT_NEEDED,
    "": _NOT_NEEDED,
}
"""Key of `[supervisord]` -> the same."""

PROGRAM_KEYS: dict[str, tuple[str, str]] = {
    "priority": (
        "programs start at the same time, and no order is made of numbers",
        'if it needs another one, name that: after = ["NAME"] waits until it is ready',
    ),
    "startretries": (_FOR_ALL, "set crash_loop_failures of [supervisor]"),
    "stopasgroup": (
        "the stop signal goes to the program's own process",
        "nothing, if it tells its children; what is left of its group is killed at its end",
    ),
    "stdout_logfile": (_OUTPUT, _READ_IT),
    "stderr_logfile": (_ONE_OUTPUT, _READ_IT),
    "stderr_logfile_maxbytes": (_ONE_OUTPUT, "log_size is for both"),
    "stderr_logfile_backups": (_ONE_OUTPUT, "log_files is for both"),
    "stdout_capture_maxbytes": ("there are no event listeners", "nothing is needed"),
    "stderr_capture_maxbytes": ("there are no event listeners", "nothing is needed"),
    "stdout_events_enabled": ("there are no event listeners", "nothing is needed"),
    "stderr_events_enabled": ("there are no event listeners", "nothing is needed"),
    "stdout_syslog": (_OUTPUT, "let the program write to syslog, or pipe it into logger"),
    "stderr_syslog": (_OUTPUT, "let the program write to syslog, or pipe it into logger"),
    "umask": ("programs have that of Orpheus", 'run it by sh: ["sh", "-c", "umask 022; exec …"]'),
    "serverurl": ("there is no XML-RPC", "use the HTTP API"),
    "": ("Orpheus does not know this key", "see whether it is needed"),
}
"""Key of a `[program:…]` that is never carried over -> the same."""

_ELSEWHERE = frozenset(
    {"command", "directory", "environment", "numprocs", "numprocs_start", "process_name"}
)


Made = dict[str, Any] | tuple[str, str]
"""What a key becomes: a setting of a `[[programs]]` entry, or why it is none, and what to do."""


def settings_of(section: Section, user: str, instances: int) -> tuple[dict[str, Any], list[Left]]:
    """Return the settings of a program, and what was not carried over; `user` runs Orpheus.

    `instances` is the number in each entry. The keys in `_ELSEWHERE` are left out: other code reads
    them. Raises Unusable for an invalid value.
    """
    made: dict[str, Any] = {}
    left: list[Left] = []
    values = {"autorestart": "unexpected", **section.values, "numprocs": str(instances)}
    for key, value in values.items():
        if key in _ELSEWHERE:
            continue
        for one in _made_of(key, value.strip(), values, user):
            if isinstance(one, dict):
                made |= one
            else:
                position = section.positions.get(key, section.position)
                left.append(Left(position, f"{key}={value}", *one))
    return made, left


def _made_of(key: str, value: str, values: Mapping[str, str], user: str) -> list[Made]:
    if key == "user":
        same = value == user
        why = "Orpheus runs every program as the user who starts it"
        instead = f"start Orpheus as {value}, or let argv begin with sudo -n -u {value}"
        return [] if same else [(why, instead)]
    if key in _CONVERTERS:
        return _CONVERTERS[key](value, values)
    return [PROGRAM_KEYS.get(key, PROGRAM_KEYS[""])]


def _autostart(value: str, values: Mapping[str, str]) -> list[Made]:
    if _is_true("autostart", value):
        return []
    why = "a program that is in the file is started"
    return [
        {"instances": 0},
        (why, f"start it with orpheus scale NAME {values['numprocs']}"),
    ]


def _autorestart(value: str, _: Mapping[str, str]) -> list[Made]:
    if value.lower() == "unexpected":
        return [{"restart": "on-failure"}]
    return [] if _is_true("autorestart", value) else [{"restart": "never"}]


def _exitcodes(value: str, values: Mapping[str, str]) -> list[Made]:
    codes = {code.strip() for code in value.split(",")}
    if codes == {"0"} or values["autorestart"].lower() != "unexpected":
        return []
    return [("only exit code 0 is an end that is meant", "let the program exit with 0")]


def _startsecs(value: str, _: Mapping[str, str]) -> list[Made]:
    seconds = whole_number("startsecs", value)
    if seconds <= LONGEST_START_S:
        return [] if seconds == 1 else [{"ready": {"after": f"{seconds}s"}}]
    why = "ready must be less than start_timeout of [supervisor], which is 60 s"
    return [
        {"ready": {"after": f"{LONGEST_START_S}s"}},
        (why, f'raise start_timeout, then write ready = {{ after = "{seconds}s" }}'),
    ]


def _stopwaitsecs(value: str, _: Mapping[str, str]) -> list[Made]:
    seconds = whole_number("stopwaitsecs", value)
    if seconds <= LONGEST_STOP_S:
        return [{"stop_timeout": f"{seconds}s"}]
    why = "stop_timeout must be less than shutdown_deadline of [supervisor], which is 40 s"
    instead = f'raise shutdown_deadline, then write stop_timeout = "{seconds}s"'
    return [{"stop_timeout": f"{LONGEST_STOP_S}s"}, (why, instead)]


def _stopsignal(value: str, _: Mapping[str, str]) -> list[Made]:
    name = value.upper().removeprefix("SIG")
    if name not in _SIGNALS:
        raise Unusable(f"stopsignal={value} is no signal that supervisord sends")
    return [] if name == "TERM" else [{"stop_signal": name}]


def _log_size(value: str, _: Mapping[str, str]) -> list[Made]:
    size = _SIZE.fullmatch(value)
    if size is None:
        raise Unusable(f"stdout_logfile_maxbytes={value} is no size")
    unit = (size["unit"] or "").upper()
    size_bytes = int(size["number"]) * _UNITS[unit]
    if size_bytes == 0:
        return [("files are always rotated", "log_size and log_files say how much is kept")]
    kept = min(max(size_bytes, SMALLEST_LOG_BYTES), LARGEST_LOG_BYTES)
    if kept != size_bytes:
        why = f"log_size is {SMALLEST_LOG_BYTES} bytes to {LARGEST_LOG_BYTES} bytes"
        return [{"log_size": kept}, (why, "nothing is needed")]
    written = f"{size['number']}{_WRITTEN[unit]}" if unit else size_bytes
    return [{"log_size": written}]


def _log_files(value: str, _: Mapping[str, str]) -> list[Made]:
    """Return one file more than supervisord's number, which leaves out the file being written."""
    files = whole_number("stdout_logfile_backups", value) + 1
    kept = min(files, MOST_LOG_FILES)
    made: list[Made] = [{"log_files": kept}]
    if kept != files:
        made.append((f"log_files is at most {MOST_LOG_FILES}", "nothing is needed"))
    return made


def _redirect_stderr(value: str, values: Mapping[str, str]) -> list[Made]:
    if _is_true("redirect_stderr", value) or "stderr_logfile" in values:
        return []
    return [(_ONE_OUTPUT, _READ_IT)]


def _killasgroup(value: str, _: Mapping[str, str]) -> list[Made]:
    if _is_true("killasgroup", value):
        return []
    return [("SIGKILL always goes to the whole process group", "nothing is needed")]


def _stopasgroup(value: str, _: Mapping[str, str]) -> list[Made]:
    return [PROGRAM_KEYS["stopasgroup"]] if _is_true("stopasgroup", value) else []


def _is_true(key: str, value: str) -> bool:
    if value.lower() not in (*_TRUE, *_FALSE):
        raise Unusable(f"{key}={value} is neither true nor false")
    return value.lower() in _TRUE


def whole_number(key: str, value: str) -> int:
    """Return a number. Raises Unusable, which names the key."""
    if not value.isascii() or not value.isdigit() or len(value) > 7:
        raise Unusable(f"{key}={value} is no number")
    return int(value)


_CONVERTERS: dict[str, Callable[[str, Mapping[str, str]], list[Made]]] = {
    "autostart": _autostart,
    "autorestart": _autorestart,
    "exitcodes": _exitcodes,
    "startsecs": _startsecs,
    "stopwaitsecs": _stopwaitsecs,
    "stopsignal": _stopsignal,
    "stdout_logfile_maxbytes": _log_size,
    "stdout_logfile_backups": _log_files,
    "redirect_stderr": _redirect_stderr,
    "killasgroup": _killasgroup,
    "stopasgroup": _stopasgroup,
}
