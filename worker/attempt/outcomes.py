"""Turns what an attempt leaves into text: its result into JSON, its error with a traceback."""

import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.json_values import Rule, json_problems, not_json
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types.context import PermanentError
from orpheus.shared.text import storable

_MAX_BYTES = 1_048_576
_MAX_TRACEBACK_BYTES = 65_536
_MAX_MESSAGE_BYTES = 8_192
_MAX_LEAF_BYTES = 1_024
_OUR_FOLDER = f"{Path(__file__).parents[2]}/"
_HANDLERS_FOLDER = f"{_OUR_FOLDER}worker/handlers/"
_BETWEEN_OURS_AND_THEIRS = ("/asyncio/", "/importlib/", "<frozen importlib.")

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def result_text(value: Any) -> str:
    """Return what a handler returned as JSON text. It may be of any type that a payload may have.

    Raises PermanentError, naming the field, for a value of another type and for more than 1 MiB: a
    retry would probably return the same.
    """
    if value is None:  # the most common result, and an encoder would take 1 us
        return "null"
    advice = "store it elsewhere and return where"
    try:
        return _json_text(value, "result", advice)
    except _NotPlain:
        return _json_text(_plain(value), "result", advice)


def payload_text(value: Any) -> str:
    """Return the payload of a new job as JSON text. Raises PermanentError as `result_text` does."""
    try:
        return _json_text(value, "payload", "store it elsewhere and pass where")
    except _NotPlain as error:
        raise PermanentError(f"the payload is not JSON: {_why(value, 'payload', error)}") from None


class _NotPlain(TypeError):
    """A value has parts for which JSON has no type."""


def _plain(result: Any) -> Any:
    from orpheus.shared.job_types.by_pydantic import plain_json  # noqa: PLC0415 - 10 MB

    if isinstance(result, Iterator):  # it may have no end
        raise PermanentError("the result is an iterator: return a list of what it gives")

    def cannot_be_kept(part: Any) -> str | None:
        problem = not_json(part)
        try:
            plain_json(part)
        except ValueError as error:
            return f"{problem}: {error}"
        return None

    try:
        return plain_json(result)
    except (ValueError, RecursionError) as error:
        why = _why(result, "result", error, cannot_be_kept)
        raise PermanentError(f"the result is not JSON: {why}") from None


def _json_text(value: Any, what: str, advice: str) -> str:
    try:
        text = _encode(value)
        size_bytes = len(text) if text.isascii() else len(text.encode())
    except TypeError as error:
        raise _NotPlain(*error.args) from None
    except (ValueError, RecursionError, UnicodeEncodeError) as error:
        raise PermanentError(f"the {what} is not JSON: {_why(value, what, error)}") from None
    if size_bytes > _MAX_BYTES:
        raise PermanentError(
            f"the {what} is {size_bytes:,} bytes of JSON, over the {_MAX_BYTES:,} that "
            f"are kept: {advice}"
        )
    return text


def error_of(error: BaseException) -> JobError:
    """Return an exception as text, without the frames of Orpheus itself.

    Raises nothing, whatever the exception's `__str__` does.
    """
    name = _shortened(type(error).__name__, _MAX_MESSAGE_BYTES)
    message = _shortened(_message(error), _MAX_MESSAGE_BYTES)
    trace = _shortened(user_traceback(error), _MAX_TRACEBACK_BYTES)
    return JobError(name, message, trace)


def leaves_of(error: BaseException) -> list[BaseException]:
    """Return the exceptions of a group and of the groups in it, in order; of others, itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in leaves_of(inner)]


def _message(error: BaseException) -> str:
    try:
        if isinstance(error, BaseExceptionGroup):
            leaves = (f"{type(leaf).__name__}: {_message(leaf)}" for leaf in leaves_of(error))
            return f"{error}: {'; '.join(_shortened(leaf, _MAX_LEAF_BYTES) for leaf in leaves)}"
        return str(error)
    except BaseException as unprintable:  # noqa: BLE001 - its __str__ may raise anything
        return f"(its text cannot be shown: {type(unprintable).__name__})"


def user_traceback(error: BaseException) -> str:
    """Return the traceback of an exception from a job or a job module, without our frames."""
    try:
        lines = traceback.format_exception(
            type(error), error, _without_our_frames(error.__traceback__)
        )
    except BaseException as unprintable:  # noqa: BLE001 - its __str__ may raise anything
        return f"(no traceback: {type(unprintable).__name__})"
    return "".join(lines)


def import_failure(setting: str, error: BaseException) -> str:
    """Return in some lines why the module that `setting` names (`jobs.modules: reports`) fails."""
    if isinstance(error, ConfigurationError):
        key = setting.partition(" ")[0]
        return str(error) if str(error).startswith(key) else f"{setting}: {error}"
    headline = f"{setting} does not import: {type(error).__name__}: {_message(error)}"
    frames = user_traceback(error).splitlines()[:-1]  # the last line says the error again
    where = []
    if isinstance(error, ModuleNotFoundError):
        searched = ", ".join(path or "the current folder" for path in sys.path)
        where = [f"looked in: {searched}; PYTHONPATH=FOLDER adds another"]
    return "\n".join([headline, *frames, *where])


def _without_our_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return the frames from the user's first to their last; none if no frame is theirs."""
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    last = step = trace
    while step is not None:
        last = last if _is_ours(step) else step
        step = step.tb_next
    if last is not None:
        last.tb_next = None  # cuts off, for example, the signal handler of the timeout
    return trace


def _is_ours(trace: TracebackType) -> bool:
    filename = trace.tb_frame.f_code.co_filename
    if filename.startswith(_OUR_FOLDER):
        return not filename.startswith(_HANDLERS_FOLDER)
    return any(part in filename for part in _BETWEEN_OURS_AND_THEIRS)


def _shortened(text: str, max_bytes: int) -> str:
    """Return both ends of a text that is too long: where it began, and what happened last."""
    text = storable(text)
    if len(text.encode()) <= max_bytes:
        return text
    part = max_bytes // 8  # a character may take four bytes, and there are two ends
    return f"{text[:part]}\n… {len(text) - 2 * part:,} characters left out …\n{text[-part:]}"


def _why(value: Any, where: str, error: Exception, rule: Rule = not_json) -> str:
    """Return which part of `value` is not JSON, as `result.items[0]`, and why."""
    for path, problem in json_problems(value, rule):
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        return f"{where}{steps} {problem}"
    return f"{type(error).__name__}: {error}"
