"""Where settings come from, which source wins, and how a mistake is told."""

import os
from collections.abc import Callable
from pathlib import Path
from time import thread_time

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.settings import Settings
from orpheus.shared.storage import state_files

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]
Toml = Callable[[str], Path]


def test_set_comes_before_environment_before_file_before_default(load: Load, toml: Toml) -> None:
    path = toml("[api]\nport = 1\nmax_clients = 1\nmax_body = 1\n")
    environ = {"ORPHEUS_API__PORT": "2", "ORPHEUS_API__MAX_CLIENTS": "2"}
    api = load(path, ["api.port=3"], environ).api
    assert (api.port, api.max_clients, api.max_body, api.host) == (3, 2, 1, "127.0.0.1")


def test_sources_add_up_within_a_table(load: Load, toml: Toml) -> None:
    path = toml("[pools.default]\nworkers = 4\n")
    settings = load(path, ["pools.mail.workers=2"], {"ORPHEUS_POOLS__DEFAULT__QUEUES": "['a']"})
    assert settings.pools["default"].workers == 4
    assert settings.pools["default"].queues == ("a",)
    assert settings.pools["mail"].workers == 2


def test_a_variable_keeps_the_mixed_case_of_a_queue_s_name(load: Load, toml: Toml) -> None:
    path = toml("[queues.Mail]\nmax_running = 1\n[queues.media]\nmax_running = 1\n")
    environ = {
        "ORPHEUS_QUEUES__Mail__MAX_RUNNING": "3",
        "ORPHEUS_QUEUES__MEDIA__MAX_RUNNING": "4",
        "ORPHEUS_POOLS__Default__WORKERS": "5",
    }
    settings = load(path, environ=environ)
    limits = {name: queue.max_running for name, queue in settings.queues.items()}
    assert limits == {"Mail": 3, "media": 4}
    assert settings.pools["default"].workers == 5


def test_a_value_is_read_as_toml_else_as_text(load: Load) -> None:
    settings = load(
        sets=["logging.level=debug", 'api.host="::1"', "jobs.timeout=1m", "jobs.modules=['a']"]
    )
    assert settings.logging.level == "debug"
    assert settings.api.host == "::1"
    assert settings.jobs.timeout == 60
    assert settings.jobs.modules == ("a",)


def test_a_value_cannot_smuggle_in_another_key(load: Load) -> None:
    settings = load(sets=["database.url=sqlite:///a\nb = 1"])
    assert settings.database.url == "sqlite:///a\nb = 1"


def test_the_configuration_file_is_the_option_else_the_variable_else_a_usual_path(
    load: Load, own_directory: Path
) -> None:
    for name, port in (("option", 1), ("variable", 2), ("config/orpheus", 3), ("orpheus", 4)):
        path = own_directory / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"api.port = {port}\n")
    environ = {"ORPHEUS_CONFIG": "variable.toml"}
    assert load(Path("option.toml"), environ=environ).api.port == 1
    assert load(environ=environ).api.port == 2
    assert load().api.port == 3
    assert load().source == Path("config/orpheus.toml")
    Path("config/orpheus.toml").unlink()
    assert load().api.port == 4
    assert load().source == Path("orpheus.toml")


def test_a_file_that_was_asked_for_and_is_missing_is_a_problem(problems: Problems) -> None:
    missing = "no.toml: cannot be read: No such file or directory"
    assert problems(Path("no.toml")) == [missing]
    assert problems(environ={"ORPHEUS_CONFIG": "no.toml"}) == [missing]


def test_a_syntax_error_names_file_line_and_column(problems: Problems, toml: Toml) -> None:
    path = toml("[api]\nport = = 3\n")
    (problem,) = problems(path)
    assert problem.startswith(f"{path}:2:8: is not TOML: ")


@pytest.mark.parametrize("levels", [101, 20_000])
def test_what_nests_too_deeply_is_refused_at_once_wherever_it_is_set(
    problems: Problems, toml: Toml, levels: int
) -> None:
    path, key = toml(f"[{'a.' * levels}a]\n"), f"{'a.' * levels}a"
    began_s = thread_time()
    assert problems(path) == [f"{path}: is not TOML: it nests more than 100 levels"]
    path.unlink()
    (problem,) = problems(sets=[f"{key}=1"])
    assert problem.endswith("is not KEY=VALUE, such as api.port=9000")
    (problem,) = problems(environ={f"ORPHEUS_{'A__' * levels}A": "1"})
    assert problem.endswith("A: unknown key")
    for value in ("[" * levels, f"{'[' * levels}{']' * levels}"):
        (problem,) = problems(sets=[f"api.port={value}"])
        assert "api.port" in problem
    assert thread_time() - began_s < 1


@pytest.mark.parametrize("kind", ["fifo", "zero", "large"])
def test_only_a_regular_file_of_a_sensible_size_is_read(
    kind: str, problems: Problems, own_directory: Path
) -> None:
    """A FIFO would be waited for, and what has no end would fill the memory."""
    path = own_directory / "a.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.write_text("# a comment\n" * 100_000)
    (problem,) = problems(path)
    assert problem.startswith(f"{path}: cannot be read: Is ")
    shown = ConfigurationFile(path, (), {}, state_files("sqlite:///o.db")).show()
    assert shown.obstacle is not None and "cannot be read" in shown.obstacle


def test_every_problem_is_told_at_once_with_its_source_and_key(
    problems: Problems, toml: Toml
) -> None:
    path = toml(
        "[api]\n"
        "prot = 9000\n"
        'port = "x"\n'
        "\n"
        "[leases]\n"
        'ttl = "5s"\n'
        "[[schedules]]\n"
        "name = 'fine'\n"
        "type = 't'\n"
        "every = '1h'\n"
        "[[schedules]]\n"
        "name = 'wrong'\n"
        "type = 't'\n"
        "evry = '1h'\n"
        "every = '1h'\n"
        "[supervisr]\n"
    )
    found = problems(
        path,
        ["jobs.max_retries=many", "nonsense"],
        {"ORPHEUS_LOGGING__LEVL": "info", "ORPHEUS_HEARTBEATS__TIMEOUT": "1s"},
    )
    assert set(found) == {
        f"{path}:2: api.prot: unknown key (did you mean api.port?)",
        f"{path}:3: api.port: must be a whole number without quotes, such as 4",
        f"{path}:6: leases.ttl: must be at least 3 × leases.renew_every (30 s)",
        f"{path}:14: schedules.wrong.evry: unknown key (did you mean every?)",
        f"{path}:16: supervisr: unknown key (did you mean supervisor?)",
        "--set: jobs.max_retries: must be a whole number without quotes, such as 4",
        "--set: 'nonsense' is not KEY=VALUE, such as api.port=9000",
        "ORPHEUS_LOGGING__LEVL: logging.levl: unknown key (did you mean logging.level?)",
        (
            "ORPHEUS_HEARTBEATS__TIMEOUT: heartbeats.timeout: "
            "must be at least 5 × heartbeats.interval (10 s)"
        ),
    }


@pytest.mark.parametrize("table", ["api=1", "database='x'", "pools.default=3", "queues=[]"])
def test_a_value_where_a_table_belongs_is_refused(table: str, problems: Problems) -> None:
    (problem,) = problems(sets=[table])
    assert problem.endswith("must be a table")


def test_variables_that_are_no_settings_are_let_be(load: Load) -> None:
    load(
        environ={
            "HOME": "/",
            "_ORPHEUS_INCARNATION": "a",
            "_ORPHEUS_COMPLETE": "bash_source",
            "ORPHEUS_TESTING": "1",
            "ORPHEUS_FAILPOINTS": "x",
            "ORPHEUS_CONFIG": "",
        }
    )


def test_failpoints_are_refused_outside_tests(problems: Problems) -> None:
    for environ in ({}, {"ORPHEUS_TESTING": "0"}):
        (problem,) = problems(environ={"ORPHEUS_FAILPOINTS": "x", **environ})
        assert problem.startswith("ORPHEUS_FAILPOINTS: is for tests only")


def test_it_is_known_what_set_a_value(toml: Toml, load: Load) -> None:
    path = toml("[api]\nport = 1\n")
    sources = load(path, ["logging.level=debug"], {"ORPHEUS_LEASES__TTL": "1m"}).sources
    assert sources.origin_with_line(("api", "port")) == f"{path}:2"
    assert sources.origin(("logging", "level")) == "--set"
    assert sources.origin(("leases", "ttl")) == "ORPHEUS_LEASES__TTL"
    assert sources.origin(("api", "host")) is None


def test_a_digest_tells_values_apart_but_not_ways_of_writing(toml: Toml, load: Load) -> None:
    one = load(toml("[api]\nport = 8000 # why\nhost = 'localhost'\n")).sources.digest()
    assert load(toml("api = {host = 'localhost', port = 8000}\n")).sources.digest() == one
    assert load(toml("api.port = 8000\n")).sources.digest() != one


def test_a_variable_with_one_underscore_is_told_what_it_must_be(problems: Problems) -> None:
    (problem,) = problems(environ={"ORPHEUS_API_PORT": "8080"})
    assert problem.startswith("ORPHEUS_API_PORT: variables are called ORPHEUS_TABLE__KEY")
