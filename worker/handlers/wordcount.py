"""`wordcount {text}`: how many words a text has."""

from orpheus import Context, job


@job
def wordcount(_: Context, text: str) -> dict[str, int]:
    """Count the words of a text, as white space separates them."""
    return {"count": len(text.split())}
