"""Text from outside, made safe to show on a terminal."""


def printable(text: str) -> str:
    """`text` with control characters, line separators and text-reordering characters escaped."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
