"""Sizes as people write them: bytes, or `"64KiB"`, `"1MiB"`, `"2GiB"`."""

import re

_UNITS_BYTES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_WRITTEN = re.compile(r"\s*([0-9]{1,12})\s*(B|KiB|MiB|GiB|)\s*", re.ASCII)


def parse_size_bytes(value: object) -> int:
    """The bytes that `value` means. Raises ValueError with a sentence for the user."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    written = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise ValueError('a size is bytes, or text such as "64KiB", "1MiB", "2GiB"')
    return int(written[1]) * _UNITS_BYTES[written[2]]
