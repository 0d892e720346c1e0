"""What an attempt leaves behind, as text: its result as JSON, or its error with a traceback."""

import json
import math
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.job_types.registry import PermanentError
from orpheus.worker.attempt.job_log import storable

_LARGEST_BYTES = 1_048_576
_LONGEST_TRACEBACK_CHARS = 65_536
_LONGEST_MESSAGE_CHARS = 8_192
_OUR_FOLDER = str(Path(__file__).parent)
_HANDLERS_FOLDER = str(Path(__file__).parent / "handlers")

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def result_text(value: Any) -> str:
    """The JSON text of what a handler returned.

    Raises PermanentError, naming the field, for what JSON cannot hold, and for over 1 MiB: a
    handler that returns such a thing would do it again.
    """
    return _json_text(value, "result", "store it elsewhere and return where")


def payload_text(value: Any) -> str:
    """The JSON text of a payload for another job. Raises PermanentError as `result_text` does."""
    return _json_text(value, "payload", "store it elsewhere and pass where")


def _json_text(value: Any, what: str, advice: str) -> str:
    try:
        text = _encode(value)
        size_bytes = len(text) if text.isascii() else len(text.encode())
    except (TypeError, ValueError, RecursionError, UnicodeEncodeError) as error:
        raise PermanentError(f"the {what} is not JSON: {_why(value, what, error)}") from None
    if size_bytes > _LARGEST_BYTES:
        raise PermanentError(
            f"the {what} is {size_bytes:,} bytes of JSON, over the {_LARGEST_BYTES:,} that "
            f"are kept: {advice}"
        )
    return text


def error_of(error: BaseException) -> JobError:
    """An exception as text, without the frames of Orpheus itself."""
    message = _limited(_message(error), _LONGEST_MESSAGE_CHARS)
    return JobError(
        type(error).__name__, message, _limited(_traceback(error), _LONGEST_TRACEBACK_CHARS)
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as unprintable:  # noqa: BLE001 - their __str__ may do anything
        return f"(its text cannot be had: {type(unprintable).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(
            type(error), error, _without_our_frames(error.__traceback__)
        )
    except Exception as unprintable:  # noqa: BLE001 - their __str__ may do anything
        return f"(no traceback: {type(unprintable).__name__})"
    return "".join(lines)


def _without_our_frames(trace: TracebackType | None) -> TracebackType | None:
    """The frames from the job's first to its last; none where Orpheus itself refused something."""
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    last = step = trace
    while step is not None:
        last = last if _is_ours(step) else step
        step = step.tb_next
    if last is not None:
        last.tb_next = None  # such as the signal handler of the timeout
    return trace


def _is_ours(trace: TracebackType) -> bool:
    filename = trace.tb_frame.f_code.co_filename
    in_asyncio = "/asyncio/" in filename  # stands between us and a coroutine
    return in_asyncio or (
        filename.startswith(_OUR_FOLDER) and not filename.startswith(_HANDLERS_FOLDER)
    )


def _limited(text: str, most_chars: int) -> str:
    """Both ends of a text that is too long: where it began, and what happened at last."""
    text = storable(text)
    if len(text.encode()) <= most_chars:
        return text
    part = most_chars // 8  # a character may take four bytes, and there are two ends
    return f"{text[:part]}\n… {len(text) - 2 * part:,} characters left out …\n{text[-part:]}"


def _why(value: Any, where: str, error: Exception) -> str:
    """What is wrong with the first part of `value` that is no JSON, and where it stands."""
    return _first_problem(value, where, depth=0) or f"{type(error).__name__}: {error}"


def _first_problem(value: Any, where: str, depth: int) -> str | None:
    if depth > 200:
        return f"{where[:80]}… is nested too deep"
    if value is None or isinstance(value, (bool, int)):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{where} is {value}"
    if isinstance(value, str):
        storable_text = value.encode("utf-8", "replace").decode() == value
        return None if storable_text else f"{where} has a lone surrogate"
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, (str, int, float, bool, type(None))):
                return f"{where} has a key of type {type(key).__name__}"
            if problem := _first_problem(item, f"{where}.{key}", depth + 1):
                return problem
        return None
    if isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            if problem := _first_problem(item, f"{where}[{place}]", depth + 1):
                return problem
        return None
    return f"{where} is of type {type(value).__name__}"
