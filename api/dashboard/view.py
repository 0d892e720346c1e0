"""What the pages show to a caller: the pages that work for it, and what it may do there. Pure."""

from collections.abc import Mapping

import msgspec

from orpheus.api.contract.access import call_of
from orpheus.api.http.auth import Caller
from orpheus.shared.domain.access import Role

_NEEDS: Mapping[str, str] = {
    "overview": "GET /stats",
    "jobs": "GET /jobs",
    "queues": "GET /queues",
    "schedules": "GET /schedules",
    "types": "GET /types",
    "errors": "GET /errors",
    "history": "GET /stats/history",
    "audit": "GET /audit",
    "configuration": "GET /config",
    "program": "GET /programs/{slot}/logs",
    "submit": "POST /jobs",
}
"""Each page, and the call without which it has nothing to show."""
_READ_ONLY = "Jobs cannot be submitted here (api.read_only). Use orpheus submit on the server."


class View(msgspec.Struct, frozen=True):
    """What the templates know of the caller."""

    role: Role
    """What the pages offer: of a viewer if the API is read-only."""
    login: str
    """The name of the token or of the login; empty if the API asks nobody."""
    who: str
    """The login with its role."""
    has_session: bool
    """Whether there is something to log out of."""
    narrowed: str
    """"queues", "types" or both, if the caller sees only some of them."""
    notice: str
    """What the caller cannot see and do; empty for an operator and an admin who see everything."""
    refused: Mapping[str, str]
    """The pages that do not work for the caller, and why, in a sentence."""

    @property
    def may_act(self) -> bool:
        """Whether the pages offer the actions of an operator."""
        return self.role.may(Role.OPERATOR)


def view_of(caller: Caller, *, read_only: bool) -> View:
    """Return what the pages show to `caller`."""
    role, scope = caller.role or Role.VIEWER, caller.scope
    has_session = caller.session_id is not None
    login = caller.name or (role if has_session else "")
    who = f"logged in as {login}, {role.words}"
    kinds = (("queues", scope.has_every_queue), ("types", scope.has_every_type))
    reasons = {page: _why_refused(page, role, caller, read_only) for page in _NEEDS}
    return View(
        Role.VIEWER if read_only else role,
        login,
        who,
        has_session,
        " ".join(kind for kind, has_every in kinds if not has_every),
        _notice(caller, "" if read_only else who),
        {page: reason for page, reason in reasons.items() if reason},
    )


def _why_refused(page: str, role: Role, caller: Caller, read_only: bool) -> str:
    """Return why a page does not work, in a sentence; empty if it does."""
    call = call_of(*_NEEDS[page].split())
    if page == "submit" and read_only:
        return _READ_ONLY
    if call.least and not role.may(call.least):
        return f"This page needs {call.least.words}."
    if call.is_refused_to(caller.scope):
        return "This page is about more than the jobs that you may see."
    return ""


def _notice(caller: Caller, who: str) -> str:
    """Return what the caller cannot see and do. `who`: empty if its role does not matter."""
    scope = caller.scope
    looks = "see everything here" if scope.has_everything else "look"
    may = {
        Role.VIEWER: f"{looks} but change nothing",
        Role.SUBMITTER: "submit jobs but change nothing else",
    }
    words = []
    if who and caller.role in may:
        words.append(f"You are {who}: you can {may[caller.role]}.")
    if not scope.has_everything:
        words.append(f"You see only {scope.words}.")
    return " ".join(words)
