"""Check the settings against each other, and against the files they name.

Each rule prevents a failure: a heartbeat timeout of only a few intervals kills busy workers, a
lease that expires before a hang is noticed runs a job twice, and an API on a public address without
a token can be used by everyone.
"""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from ipaddress import ip_address

from orpheus.config.files import SHORTEST_TOKEN, check_env_file, read_tokens
from orpheus.config.handovers import program_stop_timeout_s
from orpheus.config.problems import KeyPath, Problem
from orpheus.config.settings import Alert, Api, Database, Settings, Supervisor
from orpheus.shared.domain.alerts import ALERTS_QUEUE, EVERYTHING, KINDS, AlertCondition
from orpheus.shared.domain.dependencies import cycle_in
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.serving import serves
from orpheus.shared.errors import NEEDS_OTEL, NEEDS_PSYCOPG, ConfigurationError
from orpheus.shared.explain.alert_texts import NAMES, fields_in
from orpheus.shared.sentences import did_you_mean

_ROUNDING_S = 1e-6
"""3 × 0.1 s is a little more than 0.3 s in floats, but meant to be equal."""
_SQLITE = "sqlite:///"
_TYPE_KINDS = frozenset({Kind.TYPE_QUARANTINED, Kind.TYPE_RELEASED, AlertCondition.SCHEDULE_MISSED})
_QUEUE_KINDS = frozenset({Kind.QUEUE_PAUSED, Kind.QUEUE_RESUMED, AlertCondition.QUEUE_LATE})
_HANG_MARGIN_S = 3
"""A hang is noticed this long after the heartbeat timeout, at most."""


def problems_between(settings: Settings) -> Iterator[Problem]:
    """Return every rule that the settings break together."""
    yield from _database(settings.database)
    yield from _timers(settings)
    yield from _exposure(settings.api)
    for table in ("schedules", "commands", "outboxes", "alerts"):
        yield from _same_names((table,), [entry.name for entry in getattr(settings, table)])
    yield from _alerts(settings)
    yield from _outboxes(settings)
    yield from _programs(settings)
    if settings.otel.enabled and not _is_installed("opentelemetry.exporter.otlp.proto.http"):
        yield Problem(("otel", "enabled"), NEEDS_OTEL)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def _same_names(table: KeyPath, names: list[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem((*table, index, "name"), f"{name!r} is the name of an earlier one")


def _database(database: Database) -> Iterator[Problem]:
    """Return what keeps the database from being used, and a `listen_url` that it cannot have."""
    if not _is_sqlite(database.url) and find_spec("psycopg") is None:
        yield Problem(("database", "url"), NEEDS_PSYCOPG)
    if database.listen_url and _is_sqlite(database.url):
        reason = "is for a database on PostgreSQL; SQLite has no connection to listen on"
        yield Problem(("database", "listen_url"), reason, also=(("database", "url"),))


def _timers(settings: Settings) -> Iterator[Problem]:
    beats, leases, supervisor = settings.heartbeats, settings.leases, settings.supervisor
    beat_timeout, ttl = ("heartbeats", "timeout"), ("leases", "ttl")
    if beats.timeout < 5 * beats.interval - _ROUNDING_S:
        reason = f"must be at least 5 × heartbeats.interval ({5 * beats.interval:g} s)"
        yield Problem(beat_timeout, reason, also=(("heartbeats", "interval"),))
    if leases.ttl < 3 * leases.renew_every - _ROUNDING_S:
        reason = f"must be at least 3 × leases.renew_every ({3 * leases.renew_every:g} s)"
        yield Problem(ttl, reason, also=(("leases", "renew_every"),))
    elif leases.ttl - leases.renew_every <= beats.timeout + _HANG_MARGIN_S:
        reason = (
            "must be more than leases.renew_every + heartbeats.timeout + 3 s "
            f"({leases.renew_every + beats.timeout + _HANG_MARGIN_S:g} s), "
            "so that a hang is seen before the lease expires"
        )
        yield Problem(ttl, reason, also=(("leases", "renew_every"), beat_timeout))
    if supervisor.stop_timeout >= supervisor.shutdown_deadline:
        yield _not_less(("supervisor", "stop_timeout"), supervisor, "shutdown_deadline")


def _not_less(key: KeyPath, supervisor: Supervisor, than: str, *also: KeyPath) -> Problem:
    """Return the problem that a time is not less than another one of [supervisor]."""
    reason = f"must be less than supervisor.{than} ({getattr(supervisor, than):g} s)"
    return Problem(key, reason, also=(("supervisor", than), *also))


def _exposure(api: Api) -> Iterator[Problem]:
    """Return a problem if other machines can reach the API and it asks nobody who calls."""
    if not (api.token_file or api.tokens or api.proxy_auth) and not is_loopback(api.host):
        reason = (
            f"{api.host!r} is not a loopback address: everyone who can reach it could run jobs. It "
            f"needs api.token_file, a file of mode 0600 with a token of {SHORTEST_TOKEN} or more "
            "characters"
        )
        yield Problem(("api", "host"), reason, also=(("api", "token_file"),))
    yield from _same_names(("api", "tokens"), [token.name for token in api.tokens])
    yield from _tokens(api)


def _tokens(api: Api) -> Iterator[Problem]:
    """Return the token files that cannot be used, and a token that stands in two places."""
    files: list[tuple[KeyPath, str]] = [(("api", "token_file"), api.token_file)]
    files += [
        (("api", "tokens", index, "file"), token.file) for index, token in enumerate(api.tokens)
    ]
    earlier: set[str] = set()
    for key, path in files:
        try:
            tokens = read_tokens(path)
        except ConfigurationError as error:
            yield Problem(key, str(error))
            continue
        if len(earlier.union(tokens)) < len(earlier) + len(tokens):
            yield Problem(key, f"{path!r} holds a token twice, or that of another file")
        earlier |= set(tokens)


def _outboxes(settings: Settings) -> Iterator[Problem]:
    """Return the outboxes that cannot be drained, whatever is in their databases."""
    orpheus = _file_of(settings.database.url)
    earlier: dict[tuple[str, str], KeyPath] = {}
    for index, outbox in enumerate(settings.outboxes):
        url, table = ("outboxes", index, "url"), ("outboxes", index, "table")
        file = _file_of(outbox.url)
        if file is None and find_spec("psycopg") is None:
            yield Problem(url, NEEDS_PSYCOPG)
        if file is not None and file == orpheus:
            reason = "is Orpheus' own database; an outbox is in that of an application"
            yield Problem(url, reason, also=(("database", "url"),))
        if file is not None and "." in outbox.table:
            yield Problem(table, "must have no schema: SQLite has none")
        first = earlier.setdefault((file or outbox.url, outbox.table), table)
        if first != table:
            reason = f"with table {outbox.table!r} is the outbox of an earlier entry"
            yield Problem(url, reason, also=(first, table))


def _alerts(settings: Settings) -> Iterator[Problem]:
    """Return what keeps rules from firing, and their jobs from running."""
    served = {queue for pool in settings.pools.values() for queue in pool.queues}
    for index, rule in enumerate(settings.alerts):
        key: KeyPath = ("alerts", index)
        yield from _kinds(rule, key)
        yield from _filters(rule, key)
        yield from _counting(rule, key)
        yield from _action(rule, key)
        if not serves(served, ALERTS_QUEUE):
            reason = f"no pool serves the queue {ALERTS_QUEUE!r}: add it to the queues of a pool"
            yield Problem(key, reason, also=(("pools",),))


def _kinds(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    for kind in rule.on:
        if kind not in KINDS:
            kinds = sorted(KINDS)
            meant = did_you_mean(kind, kinds) or f": one of {', '.join(kinds)}"
            yield Problem((*key, "on"), f"nothing is called {kind!r}{meant}")


def _filters(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    """Refuse a filter by something that a kind lacks: it would let everything pass, or nothing."""
    kinds = [kind for kind in rule.on if kind in KINDS and not kind.startswith("job.")]
    for name, what, having in (
        ("types", "job type", _TYPE_KINDS), ("queues", "queue", _QUEUE_KINDS),
    ):  # fmt: skip
        without = [kind for kind in kinds if kind not in having]
        if without and EVERYTHING not in getattr(rule, name):
            reason = f"{without[0]} has no {what} to choose by: give it a rule of its own"
            yield Problem((*key, name), reason)
    if ALERTS_QUEUE in rule.queues:
        reason = f"{ALERTS_QUEUE!r} is the queue of the alerts, whose jobs fire no rule"
        yield Problem((*key, "queues"), reason)


def _counting(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    if AlertCondition.QUEUE_LATE in rule.on:
        if len(rule.on) > 1:
            reason = f"{AlertCondition.QUEUE_LATE} needs a rule of its own: its after is a number "
            yield Problem((*key, "on"), f"{reason}of jobs, and its within how long they wait")
        if rule.within is None:
            reason = f"is needed by {AlertCondition.QUEUE_LATE}: how long a due job may wait"
            yield Problem((*key, "within"), reason)
    elif rule.after > 1 and rule.within is None:
        reason = f"is needed to count {rule.after}: the time in which they happen"
        yield Problem((*key, "within"), reason)
    if rule.resolved and not {*rule.on} & {*AlertCondition}:
        reason = f"only what lasts can end: {', '.join(AlertCondition)}; events are over at once"
        yield Problem((*key, "resolved"), reason)


def _action(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    if (rule.type is None) == (rule.webhook is None):
        yield Problem(key, "needs either type (a job type, with its payload) or webhook (a URL)")
    elif rule.payload is not None and rule.type is None:
        reason = 'belongs to type; for a body of your own: type = "webhook", payload.url and .body'
        yield Problem((*key, "payload"), reason, also=((*key, "type"),))
    for name in sorted(set(fields_in(rule.payload)) - NAMES):
        meant = f"one of {', '.join(sorted(NAMES))} ({{{{{name}}}}} is the text itself)"
        yield Problem((*key, "payload"), f"an alert has no field {{{name}}}: {meant}")


def _programs(settings: Settings) -> Iterator[Problem]:
    """Return what keeps programs from being run under their names, in their order."""
    names = [program.name for program in settings.programs]
    yield from _same_names(("programs",), names)
    supervisor = settings.supervisor
    for index, program in enumerate(settings.programs):
        if program.name in settings.pools:
            reason = f"{program.name!r} is the name of a pool, whose slots are called the same"
            yield Problem(("programs", index, "name"), reason, also=(("pools", program.name),))
        for other in program.after:
            if other not in names:
                reason = f"there is no program {other!r}{did_you_mean(other, names)}"
                yield Problem(("programs", index, "after"), reason, also=(("programs",),))
        inherited = () if program.stop_timeout is not None else (("supervisor", "stop_timeout"),)
        if program_stop_timeout_s(program, settings) >= supervisor.shutdown_deadline:
            key = ("programs", index, "stop_timeout")
            yield _not_less(key, supervisor, "shutdown_deadline", *inherited)
        if program.ready.after is not None and program.ready.after >= supervisor.start_timeout:
            yield _not_less(("programs", index, "ready"), supervisor, "start_timeout")
        if program.env_file:
            try:
                check_env_file(program.env_file)
            except ConfigurationError as error:
                yield Problem(("programs", index, "env_file"), str(error))
    circle = cycle_in({program.name: program.after for program in settings.programs})
    if circle:
        way = " after ".join(map(repr, circle))
        reason = f"a circle: {way}; one of them must start first"
        yield Problem(("programs", names.index(circle[0]), "after"), reason)


def _is_sqlite(url: str) -> bool:
    return url.startswith(_SQLITE)


def _file_of(url: str) -> str | None:
    """Return the file of a SQLite URL, whichever links lead to it; None for any other URL."""
    return os.path.realpath(url.removeprefix(_SQLITE)) if _is_sqlite(url) else None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach that address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
