"""Job types that write what an attacker would."""

from typing import Any

from orpheus import Context, PermanentError, job

MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@job
def echo(ctx: Context, value: Any, fail: bool = False) -> dict[str, Any]:
    """Say it everywhere: log, print, progress, error, result. <b>Bold</b>"""
    ctx.log.warning(MARKUP, field=MARKUP)
    ctx.log.debug("a detail")
    print(MARKUP)  # noqa: T201 - what a job prints goes to its log
    ctx.progress(0.5, MARKUP)
    if fail:
        raise PermanentError(MARKUP)
    return {MARKUP: value}


@job
def shout(ctx: Context, text: str, fail: bool = False) -> dict[str, Any]:
    """Say `text` everywhere."""
    ctx.log.error(text, field=text, **{text[:20]: text})
    print(text)  # noqa: T201 - as above
    ctx.progress(0.5, text)
    if fail:
        raise PermanentError(text)
    return {text: text}
