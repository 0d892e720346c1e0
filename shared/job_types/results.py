"""What became of the jobs that a job depends on: `ctx.results`."""

import json
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from orpheus.shared.domain.jobs import Dependency, JobError, Status
from orpheus.shared.job_types.job_function import JobFunction

R = TypeVar("R")


class _Sentence(str):
    """A KeyError shows its key as `repr` does; this one is no key, and has no quotes around it."""

    __slots__ = ()
    __repr__ = str.__str__


class Results(Mapping[Any, Any]):
    """The results of the dependencies that are done, by id. A ref or a job type is a key too."""

    def __init__(self, dependencies: Iterable[Dependency]) -> None:
        self._all = {one.id: one for one in dependencies}
        self._done = {
            one.id: json.loads(one.result) for one in self._all.values() if one.result is not None
        }

    @overload
    def __getitem__(self, key: int | str, /) -> Any: ...

    @overload
    def __getitem__(self, key: JobFunction[..., ..., Coroutine[Any, Any, R]], /) -> R: ...

    @overload
    def __getitem__(self, key: JobFunction[..., ..., R], /) -> R: ...

    def __getitem__(self, key: Any, /) -> Any:
        """Return the result of a dependency: by its id, its ref, or its job type.

        Raises KeyError if there is none, and LookupError for a type that several of them have.
        """
        one = self._find(key)
        if one.id not in self._done:
            what = f"job {one.id} ({one.type}) is {one.status}"
            raise KeyError(_Sentence(f"{what} and has no result; ctx.attempt_error says why"))
        return self._done[one.id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._done)

    def __len__(self) -> int:
        return len(self._done)

    def __repr__(self) -> str:
        return repr(self._done)

    def error(self, key: "int | str | JobFunction[..., ..., Any]") -> JobError | None:
        """Return why a dependency is not done; None if it is. Raises as `[key]` does."""
        one = self._find(key)
        if one.status is Status.CANCELLED and one.error is None:
            return JobError("Cancelled", f"job {one.id} was cancelled")
        return None if one.status is Status.DONE else one.error

    def _find(self, key: Any) -> Dependency:
        if isinstance(key, int):
            found = [self._all[key]] if key in self._all else []
        elif isinstance(key, str):
            found = [one for one in self._all.values() if one.ref == key]
        else:
            name = getattr(getattr(key, "job_type", None), "name", None)
            found = [one for one in self._all.values() if one.type == name]
        if len(found) == 1:
            return found[0]
        named = getattr(key, "__name__", repr(key))
        if found:
            ids = ", ".join(str(one.id) for one in found)
            raise LookupError(f"it depends on several jobs of the type {named}: {ids}; use an id")
        raise KeyError(_Sentence(f"it depends on no job {named}"))
