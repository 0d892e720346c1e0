"""What must hold between settings."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.checks import is_loopback
from orpheus.config.files import read_tokens, tokens_digest
from orpheus.config.settings import Settings

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

TOKEN = "x" * 32
OTHER = "y" * 40


@pytest.mark.parametrize(
    ("sets", "key"),
    [
        (["heartbeats.interval=4s"], "heartbeats.timeout"),
        (["leases.renew_every=11s"], "leases.ttl"),
        (["heartbeats.timeout=17s"], "leases.ttl"),
        (["supervisor.stop_timeout=40s"], "supervisor.stop_timeout"),
        (["supervisor.shutdown_deadline=25s"], "supervisor.stop_timeout"),
    ],
)
def test_timers_that_defeat_each_other_are_refused(
    sets: list[str], key: str, problems: Problems
) -> None:
    (problem,) = problems(sets=sets)
    assert problem.startswith(f"--set: {key}: must be ")


@pytest.mark.parametrize(
    "sets",
    [
        ["heartbeats.interval=3s"],
        ["heartbeats.interval=700ms", "heartbeats.timeout=3.5s"],
        ["leases.renew_every=6.6s", "leases.ttl=19.8s", "heartbeats.timeout=10s"],
        ["heartbeats.timeout=16.9s"],
        ["leases.renew_every=10s", "leases.ttl=30s"],
        ["supervisor.stop_timeout=39.9s"],
    ],
)
def test_timers_just_within_their_bounds_are_taken(sets: list[str], load: Load) -> None:
    load(sets=sets)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.org"])
def test_an_address_that_others_can_reach_is_refused_without_a_token(
    host: str, problems: Problems
) -> None:
    (problem,) = problems(sets=[f"api.host={host}"])
    assert problem.startswith(f"--set: api.host: {host!r} is not a loopback address")
    assert "api.token_file" in problem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_address_needs_none(host: str, load: Load) -> None:
    assert is_loopback(host)
    load(sets=[f"api.host={host}"])


def test_a_token_of_32_characters_in_a_private_file_will_do(
    load: Load, own_directory: Path
) -> None:
    token = own_directory / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    for host in ("127.0.0.1", "0.0.0.0", "::", "192.168.1.5"):
        load(sets=[f"api.host={host}", f"api.token_file={token}"])
    assert read_tokens(str(token)) == (TOKEN,)
    assert read_tokens("") == ()


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        (TOKEN[1:] + "\n\n\n", 0o600, "32 or more characters"),
        (TOKEN + " " + TOKEN, 0o600, "without spaces"),
        (TOKEN + "\n" + TOKEN, 0o600, "holds a token twice"),
        (TOKEN + "\n" + OTHER + "\n" + TOKEN[::-1], 0o600, "may hold two lines"),
        (TOKEN + "\n\n" + OTHER, 0o600, "32 or more characters"),
        (TOKEN + "é", 0o600, "printable ASCII"),
        ("x" * 5000, 0o600, "32 or more characters"),
        (TOKEN, 0o640, "chmod 600"),
        (TOKEN, 0o604, "chmod 600"),
        (None, 0, "cannot be read: No such file"),
    ],
)
def test_a_token_that_protects_nothing_is_refused(
    text: str | None, mode: int, reason: str, problems: Problems, own_directory: Path
) -> None:
    token = own_directory / "token"
    if text is not None:
        token.write_text(text)
        token.chmod(mode)
    (problem,) = problems(sets=[f"api.token_file={token}"])
    assert reason in problem
    assert TOKEN[1:] not in problem


def test_a_token_file_may_hold_the_earlier_token_too(load: Load, own_directory: Path) -> None:
    token = own_directory / "token"
    token.write_text(f"{OTHER}\n{TOKEN}\n")
    token.chmod(0o600)
    load(sets=[f"api.token_file={token}"])
    assert read_tokens(str(token)) == (OTHER, TOKEN)
    before = tokens_digest([str(token)])
    token.write_text(f"{OTHER}\n")
    assert tokens_digest([str(token)]) != before


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ('file = "gone", role = "viewer"', "cannot be read: No such file"),
        ('file = "token", role = "boss"', "api.tokens.0.role"),
        ('role = "viewer"', "api.tokens.0.file"),
        ('file = "token", role = "viewer", queues = []', "api.tokens.0.queues"),
        ('file = "token", role = "viewer", types = ["a b"]', "api.tokens.0.types.0"),
        ('file = "token", role = "admin"', "holds a token twice, or that of another file"),
    ],
)
def test_a_named_token_that_cannot_be_used_is_refused_with_its_key(
    fields: str, reason: str, problems: Problems, own_directory: Path
) -> None:
    token = own_directory / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    fields = fields.replace('"token"', f'"{token}"')
    sets = [f"api.token_file={token}", f'api.tokens=[{{name = "ci", {fields}}}]']
    (problem,) = problems(sets=sets)
    assert reason in problem and TOKEN not in problem


def test_a_name_of_a_token_stands_once(problems: Problems, own_directory: Path) -> None:
    tokens = []
    for text in (TOKEN, OTHER):
        file = own_directory / text[-1]
        file.write_text(text)
        file.chmod(0o600)
        tokens.append(f'{{name = "ci", file = "{file}", role = "viewer"}}')
    (problem,) = problems(sets=[f"api.tokens=[{', '.join(tokens)}]"])
    assert "api.tokens.1.name: 'ci' is the name of an earlier one" in problem


def test_a_proxy_may_say_who_has_logged_in(load: Load, problems: Problems) -> None:
    proxy = 'api.proxy_auth={header = "X-Email", trusted = ["127.0.0.1", "10.0.0.0/8"]}'
    load(sets=["api.host=0.0.0.0", proxy])
    (problem,) = problems(sets=[proxy.replace("10.0.0.0/8", "the proxy")])
    assert "must be an address or a network" in problem
    (problem,) = problems(sets=[proxy.replace("X-Email", "X Email")])
    assert "must be the name of a header" in problem


def test_a_token_file_that_is_no_file_is_not_waited_for(
    problems: Problems, own_directory: Path
) -> None:
    os.mkfifo(own_directory / "fifo", 0o600)
    for path in (own_directory / "fifo", own_directory):
        (problem,) = problems(sets=[f"api.token_file={path}"])
        assert "api.token_file" in problem


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allowed_hosts", "*"),
        ("allowed_hosts", "https://jobs.example"),
        ("allowed_hosts", "jobs.example/path"),
        ("allowed_hosts", ""),
        ("cors_origins", "*"),
        ("cors_origins", "null"),
        ("cors_origins", "tool.example"),
        ("cors_origins", "https://tool.example/"),
        ("cors_origins", "https://*.tool.example"),
        ("cors_origins", "ftp://tool.example"),
        ("cors_origins", "https://tool.example\\n"),
    ],
)
def test_hosts_and_origins_are_exact(key: str, value: str, problems: Problems) -> None:
    (problem,) = problems(sets=[f'api.{key}=["{value}"]'])
    assert f"api.{key}.0: must be " in problem


@pytest.mark.parametrize("value", ["jobs", "/jobs/", "/", "//x", "/a//b", "/a/../b", "/a?b", "/ä"])
def test_a_root_path_is_a_path_without_a_slash_at_its_end(value: str, problems: Problems) -> None:
    (problem,) = problems(sets=[f"api.root_path={value}"])
    assert "api.root_path: must be a path without a slash at its end" in problem


COMMAND = """
[[commands]]
name = "one"
argv = ["sh"]
[[commands]]
"""


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("name = 'one'\nargv = ['sh']", "commands.one.name", "is the name of an earlier one"),
        ("name = 'two'\nargv = ['']", "commands.two.argv", "must begin with a program"),
        ("name = 'two'\nargv = ['/bin/{x}']", "commands.two.argv", "cannot come from the payload"),
        ("name = 'two'\nargv = ['sh', \"a\\u0000\"]", "commands.two.argv.1", "NUL"),
        (
            "name = 'two'\nargv = ['sh']\nenv = {_ORPHEUS_INCARNATION = 'x'}",
            "commands.two.env._ORPHEUS_INCARNATION",
            "not the name of",
        ),
        ("name = 'two'\nargv = ['sh']\nsuccess_codes = [256]", "commands.two.success_codes", "255"),
    ],
)
def test_a_command_that_cannot_be_is_refused(
    text: str, key: str, reason: str, toml: Callable[[str], Path], problems: Problems
) -> None:
    (problem,) = problems(config=toml(COMMAND + text))
    assert key in problem
    assert reason in problem


SCHEDULE = """
[[schedules]]
name = "one"
every = "1m"
type = "sleep"
[[schedules]]
"""


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (
            "name = 'one'\nevery = '1m'\ntype = 't'",
            "schedules.one.name",
            "is the name of an earlier",
        ),
        ("name = 'two'\ntype = 't'", "schedules.two.every", "needs either cron or every"),
        (
            "name = 'two'\ntype = 't'\nevery = '1m'\ncron = '* * * * *'",
            "schedules.two.every",
            "either",
        ),
        (
            "name = 'two'\ntype = 't'\ncron = '0 0 30 2 *'",
            "schedules.two.cron",
            "'0 0 30 2 *': ",
        ),
        (
            "name = 'two'\ntype = 't'\ncron = '* * * * *'\ntimezone = 'Mars/Base'",
            "schedules.two.timezone",
            "'Mars/Base' is not known",
        ),
        (
            "name = 'two'\ntype = 't'\nevery = 60\npayload = {a = [{at = 2026-01-01}]}",
            "schedules.two.payload",
            'a.0.at is a date or time without quotes, which JSON does not have: write "2026-01-01"',
        ),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    text: str, key: str, reason: str, toml: Callable[[str], Path], problems: Problems
) -> None:
    (problem,) = problems(config=toml(SCHEDULE + text))
    assert f"{key}: " in problem
    assert reason in problem


# Outboxes

OUTBOX = "[[outboxes]]\nname = {!r}\nurl = {!r}\n"


def test_outboxes_are_taken(load: Load, toml: Callable[[str], Path]) -> None:
    text = OUTBOX.format("shop", "sqlite:///shop.db")
    text += OUTBOX.format("stock", "sqlite:///shop.db") + "table = 'stock'\npoll = '100ms'\n"
    text += OUTBOX.format("bank", "postgresql://user:p%40ss@host:5432/bank?sslmode=require")
    text += "table = 'jobs.orpheus_outbox'\n" + OUTBOX.format("b", "postgresql:///b?host=/run")
    assert [one.poll for one in load(toml(text)).outboxes] == [1, 0.1, 1, 1]


@pytest.mark.parametrize(
    "url",
    ["shop.db", "sqlite://shop.db", "sqlite:///", "mysql://hush/x", "postgresql:hush",
     "postgresql://u:hush%@h/d", "postgresql://u:hush word@h/d", "postgresql://u:h\u00fcsh@h/d"],
)  # fmt: skip
def test_an_url_that_leads_to_no_database_is_refused_and_not_repeated(
    url: str, problems: Problems, toml: Callable[[str], Path]
) -> None:
    [problem] = problems(toml(OUTBOX.format("shop", url)))
    assert 'outboxes.shop.url: must be "sqlite:///FILE" or "postgresql://' in problem
    assert "hush" not in problem


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("table = 'a b'", "outboxes.shop.table: must be the name of a table"),
        ("table = 'main.jobs'", "outboxes.shop.table: must have no schema: SQLite has none"),
        (
            OUTBOX.format("shop", "sqlite:///b.db"),
            "outboxes.shop.name: 'shop' is the name",
        ),
        (
            OUTBOX.format("b", "sqlite:///./shop.db"),
            "outboxes.b.url: with table 'orph",
        ),
    ],
)
def test_an_outbox_that_cannot_be_drained_is_refused(
    more: str, problem: str, problems: Problems, toml: Callable[[str], Path]
) -> None:
    [found] = problems(toml(OUTBOX.format("shop", "sqlite:///shop.db") + more))
    assert problem in found


def test_a_url_to_listen_on_is_refused_with_sqlite(problems: Problems) -> None:
    [problem] = problems(sets=["database.listen_url=postgresql://host/jobs"])
    assert problem.startswith("--set: database.listen_url: is for a database on PostgreSQL")


def test_orpheus_own_database_is_no_outbox(
    problems: Problems, toml: Callable[[str], Path], own_directory: Path
) -> None:
    (own_directory / "link").symlink_to("data")
    [problem] = problems(toml(OUTBOX.format("shop", "sqlite:///link/orpheus.db")))
    assert "outboxes.shop.url: is Orpheus' own database" in problem


def test_without_its_driver_a_database_in_postgresql_says_what_to_install(
    problems: Problems, load: Load, toml: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = toml('[database]\nurl = "postgresql://host/jobs"\n')
    assert load(file).database.url == "postgresql://host/jobs"
    monkeypatch.setattr("orpheus.config.checks.find_spec", lambda name: None)
    [problem] = problems(file)
    assert "database.url: PostgreSQL needs psycopg" in problem
    assert problem.endswith("not installed: pip install 'psycopg[binary]>=3.2'")


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.exporter.otlp.proto.http"])
def test_without_its_extra_opentelemetry_says_what_to_install(
    problems: Problems,
    load: Load,
    toml: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    file = toml("[otel]\nenabled = true\n")
    assert load(file).otel.enabled

    def find_spec(name: str) -> None:
        if missing == "opentelemetry":
            raise ModuleNotFoundError(missing)

    monkeypatch.setattr("orpheus.config.checks.find_spec", find_spec)
    [problem] = problems(file)
    assert "otel.enabled: needs the OpenTelemetry SDK" in problem
    assert problem.endswith("pip install 'orpheus-jobs[otel]'")
