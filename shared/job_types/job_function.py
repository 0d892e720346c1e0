"""The type of a function that `@job` has marked, as type checkers see it.

At run time it is the function itself. A type checker knows the parameters of `.new(...)`, without
the Context, if the Context comes first or is missing; wherever else it stands, the mypy plugin
(orpheus/mypy_plugin.py) tells it.
"""

from typing import ParamSpec, Protocol, TypeVar

from orpheus.shared.job_types.request import JobRequest

Call = ParamSpec("Call")
New = ParamSpec("New")
R_co = TypeVar("R_co", covariant=True)


class JobFunction(Protocol[Call, New, R_co]):
    """A function that is a job type. It is called as before; `new` makes a job of it."""

    __name__: str

    def __call__(self, *args: Call.args, **kwargs: Call.kwargs) -> R_co:
        """Call the function itself, here and now."""

    def new(self, *args: New.args, **kwargs: New.kwargs) -> JobRequest:
        """Return a job to submit with these arguments; the Context is not one of them.

        Raises TypeError, which names job type, field and reason, for arguments that do not fit.
        """
