"""Who is let in: the token, and the sessions that are made of it."""

from orpheus.api.http.auth import SESSION_S, Authenticator, Caller

TOKEN = "t" * 32


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def bearer(token: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {token}".encode()}


def cookie(authenticator: Authenticator, value: str) -> dict[bytes, bytes]:
    return {b"cookie": f"a=b; {authenticator.cookie}={value}; c=d".encode()}


def test_the_token_lets_in_and_nothing_like_it() -> None:
    authenticator = Authenticator(TOKEN)
    assert authenticator.authenticate(bearer(TOKEN)) == Caller()
    assert authenticator.authenticate({b"authorization": b"bearer  " + TOKEN.encode()}) == Caller()
    for wrong in ("", TOKEN[1:], TOKEN + "t", TOKEN.upper(), "é" * 16):
        assert authenticator.authenticate(bearer(wrong)) is None
    for header in (TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", "Bearer"):
        assert authenticator.authenticate({b"authorization": header.encode()}) is None
    assert authenticator.authenticate({}) is None


def test_a_session_lasts_twelve_hours_and_outlives_the_process_that_gave_it_out() -> None:
    clock = Clock()
    value, session_id = Authenticator(TOKEN, clock).new_session()
    restarted = Authenticator(TOKEN, clock)
    caller = restarted.authenticate(cookie(restarted, value))
    assert caller == Caller(session_id, clock.now_s + SESSION_S)
    clock.now_s += SESSION_S - 1
    assert restarted.authenticate(cookie(restarted, value)) is not None
    clock.now_s += 1
    assert restarted.authenticate(cookie(restarted, value)) is None


def test_a_session_that_was_closed_is_forgotten_at_its_end() -> None:
    clock = Clock()
    authenticator = Authenticator(TOKEN, clock)
    ended: list[str] = []
    values = [authenticator.new_session()[0] for _ in range(2)]
    callers = [authenticator.authenticate(cookie(authenticator, value)) for value in values]
    first, second = [caller for caller in callers if caller is not None]
    with (
        authenticator.calling_at_close(first.session_id or "", lambda: ended.append("first")),
        authenticator.calling_at_close(second.session_id or "", lambda: ended.append("second")),
    ):
        authenticator.close_session(first)
    authenticator.close_session(Caller())  # by token: there is no session to close
    assert ended == ["first"]
    assert authenticator.authenticate(cookie(authenticator, values[0])) is None
    assert authenticator.authenticate(cookie(authenticator, values[1])) == second
    clock.now_s += SESSION_S
    authenticator.close_session(second)
    assert list(authenticator._closed) == [second.session_id]
    assert not authenticator._watchers


def test_another_token_ends_every_session() -> None:
    value, _ = Authenticator(TOKEN).new_session()
    other = Authenticator("u" * 32)
    assert other.authenticate(cookie(other, value)) is None
    assert other.cookie != Authenticator(TOKEN).cookie


def test_a_session_cannot_be_made_up_or_made_longer() -> None:
    clock = Clock()
    authenticator = Authenticator(TOKEN, clock)
    value, _ = authenticator.new_session()
    ends, session_id, signature = value.split(".")
    longer = str(int(ends) + 1)
    for forged in (
        "",
        ".",
        "..",
        f"{longer}.{session_id}.{signature}",
        f"{ends}.other.{signature}",
        f"{ends}.{session_id}.",
        f"{ends}.{session_id}.{'0' * len(signature)}",
        f"{ends}.{session_id}.{signature}0",
        f"{ends}.{session_id}",
        TOKEN,
        "é",
        "x" * 5000,
    ):
        assert authenticator.authenticate(cookie(authenticator, forged)) is None, forged


def test_a_wrong_token_is_not_helped_by_a_session() -> None:
    authenticator = Authenticator(TOKEN)
    value, _ = authenticator.new_session()
    assert authenticator.authenticate({**cookie(authenticator, value), **bearer("wrong")}) is None


def test_nothing_that_is_given_out_or_kept_shows_the_token() -> None:
    authenticator = Authenticator(TOKEN)
    assert TOKEN not in authenticator.new_session()[0]
    assert TOKEN not in repr(vars(authenticator))
