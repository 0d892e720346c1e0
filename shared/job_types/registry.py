"""The registry of job types, and the decorator `@job` that fills it.

A job type is a function. Its parameters, except the Context, are the payload
(shared/job_types/signatures.py). Importing a module with `@job` functions registers them. Workers
import such modules, and so do applications that submit jobs.
"""

import importlib
import inspect
import json
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any, Protocol, overload

import msgspec
from msgspec.structs import asdict

from orpheus.shared.domain.backoff import BackoffOfType
from orpheus.shared.domain.hidden import leads_to_hidden, parse_rule, rules_of
from orpheus.shared.domain.limits import MAX_RETRIES, NAME, NAME_RULE
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import ConfigurationError, FieldProblem, InvalidJob
from orpheus.shared.job_types.context import (
    Call,
    CommonContext,
    JobFunction,
    PermanentError,
    R,
)
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.job_types.signatures import Signature


class PayloadMisfit(PermanentError):
    """A payload does not fit the function of its job type, as this process has loaded it."""


class JobType(msgspec.Struct, frozen=True):
    """A registered handler.

    A field that is None uses the default of [jobs]; `queue` uses `default`.
    """

    name: str
    handler: Callable[..., Any]
    is_async: bool
    signature: Signature
    max_retries: int | None
    timeout_s: float | None
    queue: str | None
    permanent: tuple[type[BaseException], ...] = ()
    """Exceptions, besides PermanentError, that fail the job without a retry."""
    backoff: BackoffOfType = msgspec.field(default_factory=BackoffOfType)
    retention_s: float | None = None
    """How long its jobs are kept after they are done; None: as [retention] says."""
    retry_on: tuple[tuple[type[Exception], float], ...] = ()
    """After these exceptions a retry waits so many seconds, and not for the backoff."""
    hide: tuple[str, ...] = ()
    """Its hidden fields, as paths that begin with `payload.` or `result.`."""

    def retry_wait_ms(self, error: BaseException) -> int | None:
        """Return how long a retry after this exception waits; None: for the backoff.

        Of several types that fit, the first one given counts.
        """
        waits = (s for kind, s in self.retry_on if isinstance(error, kind))
        wait_s = next(waits, None)
        return None if wait_s is None else round(wait_s * 1000)

    def call(self, context: CommonContext, payload: str) -> Any:
        """Decode the JSON payload and call the function, with the Context if it takes one.

        Raises PayloadMisfit as `bind` does, and whatever the function raises.
        """
        arguments = self.bind(payload)
        signature = self.signature
        if signature.is_context_first:
            return self.handler(context, **arguments)
        if signature.context is not None:
            arguments[signature.context] = context
        return self.handler(**arguments)

    def new(self, /, *args: Any, **kwargs: Any) -> JobRequest:
        """Return a job to submit with these arguments.

        Raises TypeError, which names job type, field and reason, for arguments that do not fit.
        """
        try:
            return JobRequest(self.name, self.signature.payload_of(args, kwargs))
        except InvalidJob as refused:
            raise self._misfit(refused) from None

    def fields_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Like `new`, but for some of the arguments: return them as they appear in the payload.

        Raises TypeError.
        """
        try:
            return self.signature.fields_of(given)
        except InvalidJob as refused:
            raise self._misfit(refused) from None

    def _misfit(self, refused: InvalidJob) -> TypeError:
        problems = "; ".join(
            f"{problem.pointer[1:].replace('/', '.') or 'arguments'}: {self._detail(problem)}"
            for problem in refused.problems
        )
        return TypeError(f"{self.name}: {problems}")

    def bind(self, payload: str) -> dict[str, Any]:
        """Return the handler's keyword arguments for a payload's JSON text.

        Raises PayloadMisfit, naming the field, for a payload that does not fit the signature.
        """
        try:
            return self.signature.bind(json.loads(payload))
        except InvalidJob as refused:
            problems = "; ".join(
                f"{problem.pointer or 'payload'}: {self._detail(problem)}"
                for problem in refused.problems
            )
            raise PayloadMisfit(f"the payload does not fit {self.name}: {problems}") from None

    def _detail(self, problem: FieldProblem) -> str:
        """Return what is wrong with a field; the text of a validator may quote its value."""
        paths = rules_of(" ".join(self.hide)).payload
        is_hidden = leads_to_hidden(tuple(problem.pointer.split("/")[1:]), paths)
        return "does not fit" if is_hidden else problem.detail

    def describe(self) -> dict[str, Any]:
        """Return what `python -m worker --describe` prints for this type, without its digest."""
        description = inspect.getdoc(self.handler) or ""
        backoff = {name: value for name, value in asdict(self.backoff).items() if value is not None}
        return {
            "name": self.name,
            "schema": self.signature.schema(self.name),
            "max_retries": self.max_retries,
            "timeout_s": self.timeout_s,
            "queue": self.queue,
            "description": description.split("\n\n", 1)[0].replace("\n", " "),
            **({"backoff": backoff} if backoff else {}),
            **({} if self.retention_s is None else {"retention_s": self.retention_s}),
            **({"hide": list(self.hide)} if self.hide else {}),
        }


_registry: dict[str, JobType] = {}


class Register(Protocol):
    """What `@job(...)` with arguments returns: the decorator."""

    def __call__(self, handler: Callable[Call, R], /) -> JobFunction[Call, R]:
        """Make the function a job type, and return it."""


@overload
def job(name: Callable[Call, R], /) -> JobFunction[Call, R]: ...


@overload
def job(
    name: str | None = None,
    /,
    *,
    max_retries: int | None = None,
    timeout: str | float | timedelta | None = None,
    queue: str | None = None,
    permanent: tuple[type[Exception], ...] = (),
    backoff_base: str | float | timedelta | None = None,
    backoff_factor: float | None = None,
    backoff_max: str | float | timedelta | None = None,
    backoff_jitter: float | None = None,
    retention: str | float | timedelta | None = None,
    retry_on: Mapping[type[Exception], str | float | timedelta] | None = None,
    hide: tuple[str, ...] = (),
) -> Register: ...


def job(
    name: Any = None,
    /,
    *,
    max_retries: int | None = None,
    timeout: str | float | timedelta | None = None,
    queue: str | None = None,
    permanent: tuple[type[Exception], ...] = (),
    backoff_base: str | float | timedelta | None = None,
    backoff_factor: float | None = None,
    backoff_max: str | float | timedelta | None = None,
    backoff_jitter: float | None = None,
    retention: str | float | timedelta | None = None,
    retry_on: Mapping[type[Exception], str | float | timedelta] | None = None,
    hide: tuple[str, ...] = (),
) -> Any:
    """Make a function a job type: `@job`, or `@job("name", max_retries=5, timeout="30s")`.

    The function itself is returned, so it is called, tested and pickled as before; it gets the
    attributes `new` and `job_type`. Values that are not given come from [jobs]. Exceptions of the
    types in `permanent` fail the job at once, without a retry; after those in `retry_on` the retry
    waits as long as is given there, and not for the backoff. `retention`: how long a job is kept
    after it is done. `hide`: fields that nobody sees but the job: `"card"` of the payload, and
    `"result.token"`.

    Raises ConfigurationError for a name or value that is not valid, and for a name under which
    another function is already registered.
    """

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        given = name if isinstance(name, str) else handler.__name__
        where = f"job type {given}"
        _check_name(handler, "job type", given)
        if queue is not None:
            _check_name(handler, "queue", queue)
        if max_retries is not None and not 0 <= max_retries <= MAX_RETRIES:
            raise ConfigurationError(f"{where}: max_retries must lie between 0 and 100")
        timeout_s = _duration_s(where, "timeout", timeout)
        if timeout_s == 0:
            raise ConfigurationError(f"{where}: timeout: must be longer than 0")
        made = JobType(
            given,
            handler,
            inspect.iscoroutinefunction(handler),
            Signature(handler),
            max_retries,
            timeout_s,
            queue,
            _exception_types(where, permanent),
            BackoffOfType(
                _duration_s(where, "backoff_base", backoff_base),
                _within(where, "backoff_factor", backoff_factor, 1, 100),
                _duration_s(where, "backoff_max", backoff_max),
                _within(where, "backoff_jitter", backoff_jitter, 0, 0.99),
            ),
            _duration_s(where, "retention", retention),
            _retry_waits(where, retry_on or {}),
            _hidden_paths(where, hide, inspect.signature(handler).parameters),
        )
        _add(made)
        marked: Any = handler
        marked.new, marked.job_type = made.new, made
        return handler

    return register if name is None or isinstance(name, str) else register(name)


def registered_types() -> dict[str, JobType]:
    """Return every job type of the modules imported so far, by name."""
    return dict(_registry)


def load_job_types(modules: Iterable[str]) -> dict[str, JobType]:
    """Import the modules that define job types, and return every known job type, by name.

    An error that a module raises at import is passed on. Raises ConfigurationError for a module
    without a job type, and for annotations that cannot be read.
    """
    for name in modules:
        before = len(_registry)
        module = importlib.import_module(name)
        if len(_registry) == before and not _has_job_types(module):
            raise ConfigurationError(f"{name} defines no job type: put @job before a function")
    for job_type in _registry.values():
        job_type.signature.resolve()
    return registered_types()


def _has_job_types(module: ModuleType) -> bool:
    """Return whether the module defines job types, or imported some with `from … import …`.

    The modules of a package count as its own.
    """
    is_below = any(
        f"{job_type.handler.__module__}.".startswith(f"{module.__name__}.")
        for job_type in _registry.values()
    )
    return is_below or any(hasattr(value, "job_type") for value in list(vars(module).values()))


def _check_name(handler: Callable[..., Any], what: str, text: str) -> None:
    if not NAME.fullmatch(text):
        raise ConfigurationError(
            f"{handler.__qualname__} in {handler.__module__}: {text!r} cannot name a "
            f"{what}: it {NAME_RULE}"
        )


def _duration_s(where: str, option: str, value: str | float | timedelta | None) -> float | None:
    try:
        return None if value is None else parse_duration_s(value)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {option}: {error}") from None


def _within(
    where: str, option: str, value: float | None, least: float, most: float
) -> float | None:
    if value is None or (type(value) in (int, float) and least <= value <= most):
        return value
    raise ConfigurationError(f"{where}: {option}: must be a number from {least} to {most}")


def _exception_types(where: str, given: Any) -> tuple[type[Exception], ...]:
    if isinstance(given, tuple) and all(
        isinstance(kind, type) and issubclass(kind, Exception) for kind in given
    ):
        return given
    raise ConfigurationError(
        f"{where}: permanent: must be a tuple of exception types, such as (ValueError,)"
    )


def _hidden_paths(where: str, given: Any, parameters: Container[str]) -> tuple[str, ...]:
    if not isinstance(given, tuple) or not all(isinstance(path, str) for path in given):
        raise ConfigurationError(f'{where}: hide: must be a tuple of paths, such as ("card",)')
    paths = []
    for path in given:
        try:
            whole, name, *below = parse_rule(path, "payload")
        except ValueError as error:
            raise ConfigurationError(f"{where}: hide: {path!r} {error}") from None
        if whole == "payload" and name != "*" and name not in parameters:
            raise ConfigurationError(f"{where}: hide: {path!r}: there is no parameter {name!r}")
        paths.append(".".join((whole, name, *below)))
    return tuple(paths)


def _retry_waits(where: str, given: Any) -> tuple[tuple[type[Exception], float], ...]:
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f'{where}: retry_on: must map exception types to waits: {{TimeoutError: "5s"}}'
        )
    waits: dict[type[Exception], float] = {}
    for kind, wait in given.items():
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise ConfigurationError(f"{where}: retry_on: {kind!r} is not an exception type")
        waits[kind] = _duration_s(where, f"retry_on: {kind.__name__}", wait) or 0.0
    return tuple(waits.items())


def _add(new: JobType) -> None:
    old = _registry.get(new.name)
    # Reloading a module registers the same function twice; that is allowed.
    if old is not None and _full_name(old) != _full_name(new):
        raise ConfigurationError(
            f"two functions are the job type {new.name!r}: {_full_name(old)} and "
            f'{_full_name(new)}; @job("another_name") renames one'
        )
    _registry[new.name] = new


def _full_name(job_type: JobType) -> str:
    return f"{job_type.handler.__module__}.{job_type.handler.__qualname__}"
