"""The time zone of this host, in which its cron reads times."""

import os
from pathlib import Path

_FOLDER = "/zoneinfo/"


def zone_of_host(root: Path = Path("/")) -> str | None:
    """Return the name of the zone; UTC if the host has none, None if its name is not known.

    /etc/localtime is a link into a folder of zones, wherever that is. In a container it may be a
    file of the host outside: then /etc/timezone counts only if that zone has the same content.
    """
    localtime = root / "etc/localtime"
    try:
        name = os.path.realpath(localtime, strict=True).partition(_FOLDER)[2]
        name = name or _named(root, localtime.read_bytes())
    except FileNotFoundError:
        return "UTC"
    except OSError:
        return None
    return "UTC" if name in ("Etc/UTC", "Etc/UCT") else name or None


def _named(root: Path, content: bytes) -> str:
    """Return the zone that /etc/timezone names if it has this content, else nothing."""
    try:
        name = (root / "etc/timezone").read_text(encoding="utf-8").strip()
        is_same = (root / "usr/share/zoneinfo" / name).read_bytes() == content
    except (OSError, ValueError):
        return ""
    return name if is_same else ""
