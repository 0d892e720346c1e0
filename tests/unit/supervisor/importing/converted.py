"""Converts the files of these tests as the command line does, on a host that never changes."""

import fnmatch
from pathlib import Path

from orpheus.supervisor.importing import crontab, procfile, supervisord
from orpheus.supervisor.importing.imported import Imported, SourceFile

FILES = Path(__file__).parent / "files"
NAMES = sorted(one.name for one in FILES.iterdir() if one.is_file() and one.suffix != ".toml")
INCLUDED = [f"conf.d/{one.name}" for one in sorted((FILES / "conf.d").iterdir())]
FOLDER = "/srv/moving"


def source(name: str) -> SourceFile:
    folder = f"{FOLDER}/conf.d" if name.startswith("conf.d/") else FOLDER
    return SourceFile(name, (FILES / name).read_text(encoding="utf-8"), folder)


def sources(name: str) -> list[SourceFile]:
    """The file, and those that it includes."""
    main = source(name)
    if not name.startswith("supervisord"):
        return [main]
    patterns = [one.removeprefix(f"{FOLDER}/") for _, one in supervisord.include_patterns(main, {})]
    names = [one for pattern in patterns for one in fnmatch.filter(INCLUDED, pattern)]
    return [main, *map(source, names)]


def converted(name: str) -> Imported:
    if name.startswith("crontab"):
        has_users = name in ("crontab-of-the-system", "crontab-of-monitors")
        return crontab.convert(source(name), crontab.CronHost("Europe/Berlin", "root", has_users))
    if name.startswith("Procfile"):
        env_file = SourceFile(".env", "RACK_ENV=production\n")
        return procfile.convert(source(name), "", env_file if name == "Procfile-of-sync" else None)
    missing = [
        (position, pattern)
        for position, pattern in supervisord.include_patterns(source(name), {})
        if pattern == f"{FOLDER}/local.conf"
    ]
    return supervisord.convert(
        sources(name), supervisord.SupervisordHost("root", "host-1"), missing
    )
