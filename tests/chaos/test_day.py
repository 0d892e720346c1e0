"""A day with Orpheus: what ran by cron and supervisord is imported, struck at random, and watched.

Whatever is killed, each alert arrives once, `orpheus status` names what needs a person and nothing
else, and `orpheus why` says what holds a job back. Each strike comes once, and then others do until
`DAY_SECONDS` have passed. `CHAOS_SEED=N` chooses another day.
"""

import contextlib
import io
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.servers import free_port
from orpheus.supervisor.__main__ import run
from tests.chaos.harness import Orpheus, show, until
from tests.chaos.histories import Look
from tests.http_receiver import Receiver
from tests.machine import slowness

SECONDS = float(os.environ.get("DAY_SECONDS", "0"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
FAILING = {"type": "flaky", "payload": {"failures": 9, "permanent": True}}
FAILURES = 3
"""As many as `orpheus status` needs to say that a type fails."""

CRONTAB = """\
MAILTO=ops@example.com
*/5 * * * * echo tick >> {folder}/ticks
"""
SUPERVISORD = """\
[program:web]
command={python} -m http.server {port} --bind 127.0.0.1
directory={folder}
stopwaitsecs=2

[program:pulse]
command=/bin/sh -c "while :; do echo beat; sleep 1; done"
numprocs=2
process_name=%(program_name)s_%(process_num)d
"""
ALERT_RULES = """
[[alerts]]
name = "failed"
on = ["job.failed"]
types = ["flaky"]
every = 1
webhook = "{url}/failed"

[[alerts]]
name = "paused"
on = ["queue.paused"]
every = 1
webhook = "{url}/paused"

[[alerts]]
name = "died"
on = ["worker.exited"]
every = 1
webhook = "{url}/died"
"""


class Day(Orpheus):
    """Orpheus with a file that was imported: programs, a schedule, and rules of alerts."""

    imported = ""

    def configure(self, settings: dict[str, str]) -> None:
        super().configure(settings)
        assert self._file is not None
        with self._file.open("a") as file:
            file.write(self.imported)

    def ask(self, *words: str) -> tuple[int, Any]:
        """The exit code of a command, and the JSON that it printed."""
        argv = [*words, "--json", "--config", str(self._file)]
        code, printed = command(*argv, "--set", f"database.url=sqlite:///{self.database}")
        assert code in (0, 1), printed
        return code, json.loads(printed)

    def concerns(self) -> list[dict[str, Any]]:
        """What `orpheus status` says needs a person; its exit code says whether something does."""
        code, found = self.ask("status")
        concerns: list[dict[str, Any]] = found["verdict"]["concerns"]
        assert (code == 1) == bool(concerns)
        return concerns


def command(*words: str) -> tuple[int, str]:
    """The exit code of a command of `orpheus`, and what it printed."""
    printed = io.BytesIO()  # JSON is written as bytes
    with contextlib.redirect_stdout(io.TextIOWrapper(printed, "utf-8", write_through=True)) as out:
        code = run(words)
        out.flush()
        return code, printed.getvalue().decode()


def imported(folder: Path, url: str) -> str:
    """The TOML that a crontab and a supervisord.conf become, and rules of alerts."""
    (folder / "crontab").write_text(CRONTAB.format(folder=folder))
    settings = {"python": sys.executable, "port": free_port(), "folder": folder}
    (folder / "supervisord.conf").write_text(SUPERVISORD.format(**settings))
    text = ALERT_RULES.format(url=url)
    for kind, name, *options in (
        ("crontab", "crontab", "--timezone=UTC"),
        ("supervisord", "supervisord.conf"),
    ):
        code, printed = command("import", kind, str(folder / name), *options)
        assert code == 0
        text += printed
    return text


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def day(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    monkeypatch.setattr(Day, "imported", imported(tmp_path, receiver.url))
    pools = {"pools.default.queues": '["default", "side"]', "pools.alerts.queues": '["alerts"]'}
    one = Day(tmp_path, {**pools, "pools.alerts.workers": "1"}, by_file=True)
    yield one
    one.end()


class Strikes:
    """What happens on the day, each time with the answers that it must have."""

    def __init__(self, day: Day, chance: random.Random) -> None:
        self.day = day
        self.chance = chance
        self.failed: set[int] = set()
        self.kills: Counter[str] = Counter()
        """By slot."""
        self.pauses = 0

    def strike_until(self, ends_s: float) -> None:
        """Do each once and then some of them again, in an order chosen by the seed."""
        all_of_them = [
            self.fail_jobs,
            self.kill_a_program,
            self.kill_a_worker,
            self.kill_the_api,
            self.kill_the_supervisor,
            self.pause_a_queue,
            self.run_the_schedule,
        ]
        self.chance.shuffle(all_of_them)
        for one in all_of_them:
            one()
        while time.monotonic() < ends_s:
            self.chance.choice(all_of_them)()

    def fail_jobs(self) -> None:
        ids = [self.call("POST", "/jobs", json=FAILING)["id"] for _ in range(FAILURES)]
        self.failed.update(ids)
        assert {self.day.until_ended(one)["status"] for one in ids} == {"failed"}

    def kill_a_program(self) -> None:
        self._kill(self.chance.choice(("web-1", "pulse-1", "pulse-2")))

    def kill_a_worker(self) -> None:
        job = self.call("POST", "/jobs", json={"type": "sleep", "payload": {"seconds": 1}})["id"]
        running = until(lambda: self.day.job(job)["worker"], "the job to be leased")
        self._kill(str(running))
        found = self.day.until_ended(job)
        assert found["status"] == "done", found

    def kill_the_api(self) -> None:
        self._kill("api")

    def _kill(self, slot: str) -> None:
        pid = self.day.slot(slot)["pid"]
        with_pid = psutil.Process(pid)
        with_pid.kill()
        self.kills[slot] += 1
        self.day.until_state("ready", slot, not_pid=pid)

    def kill_the_supervisor(self) -> None:
        self.day.kill_supervisor()
        self.day.start()
        self.day.until_ready()

    def pause_a_queue(self) -> None:
        self.pauses += 1
        self.call("POST", "/queues/side/pause", json={"reason": "the other side moves"})
        job = self.call(
            "POST", "/jobs", json={"type": "sum_range", "queue": "side", "payload": {"n": 3}}
        )
        assert ("queue_paused", "side") in {named(one) for one in self.day.concerns()}
        _, why = self.day.ask("why", str(job["id"]))
        assert [(one["code"], one["until"]) for one in why["reasons"]] == [("queue_paused", None)]
        self.call("POST", "/queues/side/resume", json={})
        assert self.day.until_ended(job["id"])["status"] == "done"
        assert ("queue_paused", "side") not in {named(one) for one in self.day.concerns()}

    def run_the_schedule(self) -> None:
        ticks = self.day.folder / "ticks"
        before = len(ticks.read_text().splitlines()) if ticks.exists() else 0
        job = self.call("POST", "/schedules/echo-tick/run", json={})
        assert self.day.until_ended(job["id"])["status"] == "done"
        assert len(ticks.read_text().splitlines()) > before

    def call(self, method: str, path: str, **more: Any) -> Any:
        answer = self.day.client.request(method, path, **more)
        assert answer.status_code in (200, 201, 202), f"{path}: {answer.text}"
        return answer.json()


def named(concern: dict[str, Any]) -> tuple[str, str]:
    about = concern["about"] or {"name": ""}
    return concern["code"], about["name"]


def test_what_is_imported_lives_through_a_day_and_every_alert_arrives_once(
    day: Day, receiver: Receiver
) -> None:
    show(f"day: seed {SEED}, {SECONDS:g} s")
    day.until_ready()
    assert {"web-1", "pulse-1", "pulse-2"} <= day.workers().keys()
    strikes = Strikes(day, random.Random(SEED))
    strikes.strike_until(time.monotonic() + SECONDS)
    until(lambda: all_is_told(day), "the alerts to be delivered")
    each_arrives_once(day, receiver)
    told = {path: alerts_told(receiver, path) for path in ("/failed", "/paused", "/died")}
    assert times_told(told["/failed"]) == len(strikes.failed)
    assert {one["job"] for one in told["/failed"]} <= strikes.failed
    assert times_told(told["/paused"]) == strikes.pauses
    assert times_told(told["/died"]) >= strikes.kills.total()
    show(f"day: {len(strikes.failed)} jobs failed, {strikes.kills.total()} processes were killed")
    assert {named(one) for one in day.concerns()} <= explained(strikes)
    assert ("type_failing", "flaky") in {named(one) for one in day.concerns()}
    day.until_entered(day.submit("sleep", seconds=min(3, slowness())))
    assert day.stop() == 0, "a job that ends in time is waited for"


def explained(strikes: Strikes) -> set[tuple[str, str]]:
    """What may need a person after all that: slots that died often, and a type that fails."""
    return {("type_failing", "flaky")} | {("restless", slot) for slot in strikes.day.workers()}


def alerts_told(receiver: Receiver, path: str) -> list[dict[str, Any]]:
    """What the alerts posted to a path have said, each once."""
    found = {
        headers["idempotency-key"]: body for _, at, headers, body in receiver.requests if at == path
    }
    return [json.loads(body) for body in found.values()]


def times_told(alerts: list[dict[str, Any]]) -> int:
    """How often a rule came due: alerts that were held back are counted by the next one."""
    return sum(1 + one["held_back"] for one in alerts)


def jobs_of_alerts(day: Day) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = day.get("/jobs?queue=alerts&limit=500")["items"]
    return items


def all_is_told(day: Day) -> bool:
    """Whether every rule has told what it held back, and every alert has arrived."""
    held_back = any(one["held_back"] for one in day.get("/alerts")["items"])
    with Look(day.database) as tables:
        (row,) = tables.look(
            "SELECT (SELECT min(seq) FROM alerts) >= coalesce((SELECT max(seq) FROM events "
            "WHERE kind IN ('job.failed', 'queue.paused', 'worker.exited')), 0)"
        )
    return (
        bool(row[0])
        and not held_back
        and all(one["status"] == "done" for one in jobs_of_alerts(day))
    )


def each_arrives_once(day: Day, receiver: Receiver) -> None:
    """Each alert's job posted once, and again only where the worker died before it could say so."""
    posts = Counter(headers["idempotency-key"] for _, _, headers, _ in receiver.requests)
    jobs = {f"orpheus-{one['id']}": one for one in jobs_of_alerts(day)}
    assert posts.keys() == jobs.keys()
    again = {key for key, times in posts.items() if times > 1}
    assert all(jobs[key]["attempt"] >= posts[key] for key in again), again
