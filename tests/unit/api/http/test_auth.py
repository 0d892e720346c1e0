"""Who is let in: the token, and the sessions that are made of it."""

from collections.abc import Callable
from time import time

import pytest

from orpheus.api.http.auth import SESSION_S, Authenticator, Caller, Key
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.access import ProxyRules, Role, Scope

TOKEN, OTHER = "t" * 32, "u" * 32
ADMIN = Caller(Role.ADMIN)
CI = Key((OTHER,), Role.SUBMITTER, Scope(types=("resize",)), "ci.2")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


Headers = list[tuple[bytes, bytes]]


def authenticator_of(*tokens: str, clock: Callable[[], float] = time) -> Authenticator:
    return Authenticator([Key(tokens or (TOKEN,)), CI], "orpheus_1", clock=clock)


def caller_of(authenticator: Authenticator, headers: Headers) -> Caller | None:
    return authenticator.authenticate(headers, "127.0.0.1")


def bearer(token: str) -> Headers:
    return [(b"authorization", f"Bearer {token}".encode())]


def cookie(value: str) -> Headers:
    return [(b"cookie", f"a=b; orpheus_1={value}; c=d".encode())]


def test_the_token_lets_in_and_nothing_like_it() -> None:
    authenticator = authenticator_of()
    assert caller_of(authenticator, bearer(TOKEN)) == ADMIN
    assert caller_of(authenticator, [(b"authorization", b"bearer  " + TOKEN.encode())]) == ADMIN
    assert caller_of(authenticator, bearer(OTHER)) == Caller(CI.role, CI.scope, "ci.2")
    for wrong in ("", TOKEN[1:], TOKEN + "t", TOKEN.upper(), "é" * 16):
        assert caller_of(authenticator, bearer(wrong)) is None
    for header in (TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", "Bearer"):
        assert caller_of(authenticator, [(b"authorization", header.encode())]) is None
    assert caller_of(authenticator, []) is None


def test_a_token_that_is_replaced_opens_with_its_sessions_until_it_is_gone() -> None:
    value, _ = authenticator_of("old" * 12).new_session("old" * 12)
    both = authenticator_of("new" * 12, "old" * 12)
    for text in ("new" * 12, "old" * 12):
        assert caller_of(both, bearer(text)) == ADMIN
    assert caller_of(both, cookie(value)) is not None
    new = authenticator_of("new" * 12)
    assert caller_of(new, bearer("old" * 12)) is None
    assert caller_of(new, cookie(value)) is None


def test_a_session_has_the_role_that_its_token_has_now() -> None:
    value, session_id = authenticator_of().new_session(OTHER)
    caller = caller_of(authenticator_of(), cookie(value))
    assert caller is not None and caller.session_id == session_id
    assert (caller.role, caller.scope, caller.name) == (CI.role, CI.scope, "ci.2")
    viewer = Key((OTHER,), Role.VIEWER, name="ci.2")
    changed = caller_of(Authenticator([viewer], "orpheus_1"), cookie(value))
    assert changed is not None and (changed.role, changed.scope) == (Role.VIEWER, Scope())
    renamed = value.replace("ci.2", "")
    assert caller_of(authenticator_of(), cookie(renamed)) is None


PROXY = ProxyRules("X-Email", "X-Roles", ("10.0.0.0/8", "::1"))


@pytest.mark.parametrize(
    ("address", "headers", "expected"),
    [
        ("10.1.2.3", [(b"x-email", b"ada@example.org"), (b"x-roles", b"dev, Operator,viewer")],
            Caller(Role.OPERATOR, name="ada@example.org", is_login=True)),
        ("::ffff:10.1.2.3", [(b"x-email", b"ada"), (b"x-roles", b"viewer")],
            Caller(Role.VIEWER, name="ada", is_login=True)),
        ("10.1.2.3", [(b"x-email", b"ada"), (b"x-roles", b"dev")], 403),
        ("10.1.2.3", [(b"x-email", b"ada")], 403),
        ("10.1.2.3", [(b"x-email", b""), (b"x-roles", b"admin")], None),
        ("10.1.2.3", [(b"x-email", b"ada"), (b"x-email", b"eve"), (b"x-roles", b"admin")], 400),
        ("10.1.2.3", [(b"x-email", b"ada"), (b"x-roles", b"viewer"), (b"x-roles", b"admin")], 400),
        ("10.1.2.3", [(b"x-email", b"a\x01a"), (b"x-roles", b"admin")], 400),
        ("10.1.2.3", [(b"x-email", b"ada>@10.0.0.7"), (b"x-roles", b"admin")], 400),
        ("127.0.0.1", [(b"x-email", b"ada"), (b"x-roles", b"admin")], 403),
        ("", [(b"x-roles", b"admin")], 403),
        ("10.1.2.3", [(b"authorization", b"Bearer " + TOKEN.encode())], ADMIN),
        ("10.1.2.3", [], None),
    ],
)  # fmt: skip
def test_a_login_counts_from_the_proxy_alone(
    address: str, headers: Headers, expected: Caller | int | None
) -> None:
    authenticator = Authenticator([Key((TOKEN,))], "orpheus_1", PROXY)
    if isinstance(expected, int):
        with pytest.raises(Refusal) as refused:
            authenticator.authenticate(headers, address)
        assert refused.value.status == expected
    else:
        assert authenticator.authenticate(headers, address) == expected


def test_a_login_without_a_header_of_roles_is_a_viewer() -> None:
    rules = ProxyRules("X-Email", "", ("10.0.0.1",))
    authenticator = Authenticator([], "orpheus_1", rules)
    found = authenticator.authenticate([(b"x-email", b"ada")], "10.0.0.1")
    assert found == Caller(Role.VIEWER, name="ada", is_login=True)


def test_a_session_lasts_twelve_hours_and_outlives_the_process_that_gave_it_out() -> None:
    clock = Clock()
    value, session_id = authenticator_of(clock=clock).new_session(TOKEN)
    restarted = authenticator_of(clock=clock)
    caller = caller_of(restarted, cookie(value))
    assert caller == Caller(Role.ADMIN, session_id=session_id, ends_at_s=clock.now_s + SESSION_S)
    clock.now_s += SESSION_S - 1
    assert caller_of(restarted, cookie(value)) is not None
    clock.now_s += 1
    assert caller_of(restarted, cookie(value)) is None


def test_a_session_that_was_closed_is_forgotten_at_its_end() -> None:
    clock = Clock()
    authenticator = authenticator_of(clock=clock)
    ended: list[str] = []
    values = [authenticator.new_session(TOKEN)[0] for _ in range(2)]
    callers = [caller_of(authenticator, cookie(value)) for value in values]
    first, second = [caller for caller in callers if caller is not None]
    with (
        authenticator.calling_at_close(first.session_id or "", lambda: ended.append("first")),
        authenticator.calling_at_close(second.session_id or "", lambda: ended.append("second")),
    ):
        authenticator.close_session(first)
    authenticator.close_session(Caller())  # by token: there is no session to close
    assert ended == ["first"]
    assert caller_of(authenticator, cookie(values[0])) is None
    assert caller_of(authenticator, cookie(values[1])) == second
    clock.now_s += SESSION_S
    authenticator.close_session(second)
    assert list(authenticator._closed) == [second.session_id]
    assert not authenticator._watchers


def test_another_token_ends_every_session() -> None:
    value, _ = authenticator_of().new_session(TOKEN)
    assert caller_of(authenticator_of("v" * 32), cookie(value)) is None


def test_a_session_cannot_be_made_up_or_made_longer() -> None:
    clock = Clock()
    authenticator = authenticator_of(clock=clock)
    value, _ = authenticator.new_session(TOKEN)
    ends, session_id, name, signature = value.split(".")
    assert name == ""
    longer = str(int(ends) + 1)
    for forged in (
        "",
        ".",
        "..",
        f"{longer}.{session_id}..{signature}",
        f"{ends}.other..{signature}",
        f"{ends}.{session_id}.ci.2.{signature}",
        f"{ends}.{session_id}.{signature}",
        f"{ends}.{session_id}..",
        f"{ends}.{session_id}..{'0' * len(signature)}",
        f"{ends}.{session_id}..{signature}0",
        f"{ends}.{session_id}",
        TOKEN,
        "é",
        "x" * 5000,
    ):
        assert caller_of(authenticator, cookie(forged)) is None, forged


def test_a_wrong_token_is_not_helped_by_a_session() -> None:
    authenticator = authenticator_of()
    value, _ = authenticator.new_session(TOKEN)
    assert caller_of(authenticator, [*cookie(value), *bearer("wrong")]) is None


def test_nothing_that_is_given_out_or_kept_shows_the_token() -> None:
    authenticator = authenticator_of()
    assert TOKEN not in authenticator.new_session(TOKEN)[0]
    assert TOKEN not in repr(vars(authenticator))
