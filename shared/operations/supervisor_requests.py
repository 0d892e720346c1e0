"""Send an operator's request to the supervisor, for the API and the command line.

A request that cannot be carried out is refused here, and neither stored nor recorded in the audit
log: a stale request would run when a supervisor next starts.
"""

import contextlib
import json
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

import msgspec

from orpheus.shared.domain.processes import ProcessRecord, Role, SlotRecord, SlotState
from orpheus.shared.domain.programs import SLOT
from orpheus.shared.domain.requests import Request, RequestAction, scale_target, slot_target
from orpheus.shared.domain.stacks import job_first
from orpheus.shared.domain.words import duration, named
from orpheus.shared.errors import NoAnswer, NoSupervisor, NotFound, TransitionRefused
from orpheus.shared.messages.encoding import encode, time_of
from orpheus.shared.messages.jobs import running_job_of
from orpheus.shared.messages.worker_list import gone_supervisors
from orpheus.shared.messages.workers import Stack
from orpheus.shared.operations.reclaim import is_supervised
from orpheus.shared.process.clock import is_alive, os_state
from orpheus.shared.process.supervisor_lock import is_gone, is_held
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import Actor, Store

_ANSWER_WITHIN_S = 4.0
_ASK_AGAIN_AFTER_S = 2.5
"""More than the usual `heartbeats.interval`: a worker not heard by then gets a signal."""
_STILL_FOR_S = 0.06
_LOOK_EVERY_S = 0.02
_OTHER_HOST_WITHIN_S = 6.0
_LOOK_AT_OTHER_HOST_EVERY_S = 0.1
_LARGEST_STACK_BYTES = 1_048_576

_RESTART_EVERYTHING = (
    "the supervisor does not restart itself: restart it with what started it; "
    "SIGUSR2 to process {pid} restarts all the others in turn, `orpheus reload` those that changed"
)
_REFUSED: Mapping[tuple[RequestAction, Role], str] = {
    (RequestAction.RESTART, Role.SUPERVISOR): _RESTART_EVERYTHING,
    (RequestAction.DRAIN, Role.SUPERVISOR): (
        "the supervisor cannot be drained: `orpheus stop` stops it and all the others"
    ),
    (RequestAction.DRAIN, Role.API): ("the API has no jobs to drain: restart it instead"),
    (RequestAction.STACK, Role.SUPERVISOR): (
        "the supervisor cannot show its own stack: SIGQUIT to process {pid} prints it, "
        "and stops everything at once"
    ),
    (RequestAction.STACK, Role.PROGRAM): (
        "{slot} is a program and cannot show its stack; `orpheus logs {slot}` prints its output"
    ),
}
_SCALED_AWAY = (
    "{slot} was scaled away: its process ends and is not replaced "
    "(`{back}` brings it back, while the configuration has {pool})"
)
_ENDING = (SlotState.DRAINING, SlotState.STOPPING, SlotState.KILLING, SlotState.STUCK)
_WHY_SILENT: Mapping[str, str] = {
    "T": "it is stopped (SIGCONT wakes it)",
    "t": "a debugger holds it",
    "D": "it waits for the disk",
    "Z": "it has ended",
    "": "it has ended",
}


def check_supervised(store: Store, beat_timeout_s: float) -> None:
    """Raise NoSupervisor unless a supervisor runs on this database."""
    if is_supervised(store, beat_timeout_s) or store.maintenance.standstill():
        return  # while nobody can write, silence says nothing, and the request itself is refused
    for supervisor in gone_supervisors(store, store.processes.all()):
        gone = f"the supervisor (process {supervisor.pid}) is gone"
        raise NoSupervisor(f"Orpheus is not running: {gone}; start one with `orpheus`")
    for supervisor in store.processes.all():
        silent_ms = store.processes.silent_ms(supervisor)
        is_ours = supervisor.role is Role.SUPERVISOR and not store.has_many_hosts
        if is_ours and silent_ms is not None and is_alive(supervisor.pid, supervisor.create_time_s):
            why = _WHY_SILENT.get(os_state(supervisor.pid), "it hangs")
            silent = f"the supervisor (process {supervisor.pid}) has sent no heartbeat for"
            raise NoSupervisor(f"{silent} {duration(silent_ms / 1000)}: {why}")
    raise NoSupervisor("no supervisor is running: start one with `orpheus`")


def check_goes_on(store: Store, host: str) -> None:
    """Raise NoSupervisor if the supervisor of this host is stopping: it starts nothing any more."""
    for row in store.processes.slots():
        is_it = row.role is Role.SUPERVISOR and row.host == host
        if is_it and row.state is SlotState.STOPPING:
            on = f" on {host}" if store.has_many_hosts else ""
            why = f" ({row.reason})" if row.reason else ""
            raise NoSupervisor(f"Orpheus is stopping{on}{why}; start it again with `orpheus`")


def ask_for_slot(
    store: Store, actor: Actor, action: RequestAction, name: str, host: str | None
) -> int:
    """Request RESTART or DRAIN of a slot, record it in the audit log, and return the request's id.

    `host` may be None if one host alone has that slot. Raises NotFound, TransitionRefused
    for a process that cannot be restarted or drained, and NoSupervisor while Orpheus is stopping.
    """
    slot = slot_for(store, action, name, host)
    check_goes_on(store, slot.host)
    put = partial(store.supervision.put_request, action, slot.host, slot.slot)

    def state_before() -> str:
        return _in_words(slot_for(store, action, name, slot.host))

    target = slot_target(slot.slot, host)
    return store.audit.audited(actor, action.value, target, put, before=state_before)


def ask_for_workers(
    store: Store,
    actor: Actor,
    pool: str,
    workers: int,
    pools: Collection[str],
    programs: Collection[str],
    host: str | None,
) -> int:
    """Request this many workers for `pool`, or slots for a program, and return the request's id.

    `host` may be None if one host alone has a supervisor. Raises NotFound if it is none of `pools`,
    none of `programs` and has no slot on any host, or the host has none; NoSupervisor.
    """
    slots = store.processes.slots()
    running = {slot.pool: slot.role for slot in slots if slot.pool}
    pools = {*pools, *(name for name, role in running.items() if role is Role.WORKER)}
    known = [*sorted(pools), *sorted({*programs, *running} - pools)]
    if pool not in known:
        raise NotFound(f"there is no pool or program {pool[:80]!r}, but {', '.join(known)}")
    hosts = {slot.host for slot in slots}
    if not hosts:
        raise NoSupervisor("the supervisor has only just started: try again")
    kind = "pool" if pool in pools else "program"
    chosen = _host_of(f"{kind} {pool}", hosts, host)
    check_goes_on(store, chosen)
    put = partial(store.supervision.put_request, RequestAction.SCALE, chosen, pool, workers)
    what = scale_target(kind, pool, workers, host)
    return store.audit.audited(
        actor,
        RequestAction.SCALE.value,
        what,
        put,
        before=lambda: _slots_in_words(store, pool, chosen),
        after=lambda: str(workers),
    )


def ask_supervisor(
    store: Store, actor: Actor, action: RequestAction, host: str | None, beat_timeout_s: float
) -> tuple[ProcessRecord, int]:
    """Request RELOAD or STOP of a supervisor; return the supervisor and the request's id.

    `host` may be None if one host alone has a supervisor. Raises NotFound, TransitionRefused,
    and NoSupervisor, for RELOAD also while Orpheus is stopping.
    """
    check_supervised(store, beat_timeout_s)
    found = {
        process.host: process
        for process in store.processes.all()
        if process.role is Role.SUPERVISOR and not is_gone(store.state.lock, process.incarnation)
    }
    supervisor = found[_host_of("Orpheus", found, host)]
    if action is RequestAction.RELOAD:
        check_goes_on(store, supervisor.host)
    put = partial(store.supervision.put_request, action, supervisor.host, supervisor.slot)
    target = slot_target(supervisor.slot, host)
    return supervisor, store.audit.audited(actor, action.value, target, put)


def has_ended(store: Store, supervisor: ProcessRecord) -> bool:
    """Return whether a supervisor has ended; one of another host tells so by its row alone."""
    if is_held(store.state.lock, supervisor.incarnation):
        return False
    rows = {process.incarnation for process in store.processes.all()}
    return supervisor.incarnation not in rows or is_gone(store.state.lock, supervisor.incarnation)


def read_stack(store: Store, name: str, host: str | None, own_host: str) -> Stack:
    """Return the stacks of a slot's process, as GET /workers/{slot}/stack shows them.

    `host` may be None if one host alone has that slot; the caller is on `own_host`. The supervisor
    of another host reads it there. Blocks for at most 4 s, or 6 s for another host. Raises
    NotFound, TransitionRefused for a slot without a process, and NoAnswer, which says why the
    process does not answer.
    """
    slot = slot_for(store, RequestAction.STACK, name, host)
    if slot.pid is None or slot.incarnation is None:
        raise TransitionRefused(f"{name} is {slot.state}: it has no process to ask")
    if store.has_many_hosts and slot.host != own_host:
        return _stack_of_other_host(store, name, slot.host)
    file = store.state.stack(slot.incarnation)
    start_bytes = _size_bytes(file)
    ask = partial(store.supervision.put_request, RequestAction.STACK, slot.host, name)
    wait = partial(_wait_for_answer, file, start_bytes)
    request_id = ask()
    stack = wait(_ASK_AGAIN_AFTER_S)
    if stack is None:
        if not store.supervision.is_waiting(request_id):
            request_id = ask()
        stack = wait(_ANSWER_WITHIN_S - _ASK_AGAIN_AFTER_S)
    if stack is None:
        silent = f"{name} (process {slot.pid}) did not answer within {_ANSWER_WITHIN_S:.0f} s: "
        if store.supervision.is_waiting(request_id):
            raise NoAnswer(f"{silent}its supervisor has not asked it yet")
        why = _WHY_SILENT.get(os_state(slot.pid), "it does not react to signals; try again")
        still = store.maintenance.standstill()  # nor can it write its stack then
        raise NoAnswer(silent + (still.why if still and still.why else why))
    job = store.jobs.running().get(slot.incarnation)
    return Stack(
        slot=name,
        pid=slot.pid,
        incarnation=slot.incarnation,
        job=running_job_of(job),
        at=time_of(store.clock.wall_ms()),
        stack=job_first(stack),
    )


def _stack_of_other_host(store: Store, name: str, host: str) -> Stack:
    request_id = store.supervision.put_request(RequestAction.SEND_STACK, host, name)
    give_up_at_s = time.monotonic() + _OTHER_HOST_WITHIN_S
    while (body := store.supervision.answer(request_id)) is None:
        if time.monotonic() > give_up_at_s:
            raise NoAnswer(
                f"{name} is on {host}, whose supervisor did not answer within "
                f"{_OTHER_HOST_WITHIN_S:.0f} s: try again there"
            )
        time.sleep(_LOOK_AT_OTHER_HOST_EVERY_S)
    answer = json.loads(body)
    if "problem" in answer:
        raise NoAnswer(answer["problem"])
    return msgspec.convert(answer["stack"], Stack)


def send_stack(open_store: Callable[[], Store], request: Request) -> None:
    """Store the stack of a slot of this host, or why there is none, for the host that asks."""
    with contextlib.closing(open_store()) as store:
        answer: dict[str, object]
        try:
            answer = {"stack": read_stack(store, request.target, request.host, request.host)}
        except (NotFound, TransitionRefused, NoAnswer) as error:
            answer = {"problem": str(error)}
        store.supervision.put_answer(request.id, encode(answer).decode())


def output_folder(store: Store, name: str, host: str | None, own_host: str) -> Path:
    """Return where the output of a program's slot is (shared/process/program_logs.py reads it).

    `host` may be None if one host alone has that slot; the caller is on `own_host`. Raises
    NotFound, TransitionRefused for a slot that is no program's, and NoAnswer for another host's.
    """
    folder = store.state.program_log(name)
    slots = {row.host: row for row in store.processes.slots() if row.slot == name}
    if slots:
        slot = slots[_host_of(name, slots, host)]
        if slot.role is not Role.PROGRAM:
            raise TransitionRefused(f"{name} is not a program: its output is in the log of Orpheus")
        if store.has_many_hosts and slot.host != own_host:
            raise NoAnswer(f"{name} is on {slot.host}, and its output can be read only there")
    elif not SLOT.fullmatch(name) or not folder.is_dir():  # one that ran before has its files
        raise NotFound(unknown_slot(store, name, Role.PROGRAM))
    return folder


def slot_for(store: Store, action: RequestAction, name: str, host: str | None) -> SlotRecord:
    """Return the slot. Raises NotFound, and TransitionRefused if it does not allow `action`."""
    slots = {row.host: row for row in store.processes.slots() if row.slot == name}
    if not slots:
        alone = next((process for process in store.processes.all() if process.slot == name), None)
        if alone is None:
            raise NotFound(unknown_slot(store, name))
        raise TransitionRefused(
            f"{name} was started by hand, not by the supervisor, which leaves it alone: "
            f"end process {alone.pid} with SIGTERM and start it again"
        )
    slot = slots[_host_of(name, slots, host)]
    refused = _REFUSED.get((action, slot.role))
    if slot.leaves and action in (RequestAction.RESTART, RequestAction.DRAIN):
        refused = _SCALED_AWAY
    if refused is not None:
        number, on = name.rpartition("-")[2], f" --host {host}" if host else ""
        back = f"orpheus scale {slot.pool} {number}{on}"
        raise TransitionRefused(refused.format(pid=slot.pid, slot=name, back=back, pool=slot.pool))
    return slot


def _host_of(what: str, hosts: Collection[str], host: str | None) -> str:
    """Return `host`, or the only one of `hosts`. Raises NotFound, TransitionRefused."""
    named = ", ".join(sorted(hosts))
    if host is None:
        if len(hosts) > 1:
            raise TransitionRefused(f"{what} is on several hosts, so name one of {named}")
        return next(iter(hosts))
    if host not in hosts:
        raise NotFound(f"{what} is not on {host[:80]!r}, but on {named}")
    return host


def _in_words(slot: SlotRecord) -> str:
    return slot.state if slot.pid is None else f"{slot.state}, process {slot.pid}"


def _slots_in_words(store: Store, pool: str, host: str) -> str:
    """Return how many slots it has on the host, and how many of them are about to end."""
    slots = [row for row in store.processes.slots() if (row.pool, row.host) == (pool, host)]
    ending = sum(row.state in _ENDING for row in slots)
    return f"{len(slots)}, {ending} of them ending" if ending else str(len(slots))


def _wait_for_answer(file: Path, start_bytes: int, within_s: float) -> str | None:
    """Return what is added to the file of the stacks; None if nothing is in time.

    It is added line by line, until the file stops growing: nothing marks the last line.
    """
    give_up_at_s = time.monotonic() + within_s
    size_bytes, grew_at_s = start_bytes, float("inf")
    while (now_s := time.monotonic()) < give_up_at_s:
        if (found_bytes := _size_bytes(file)) != size_bytes:
            size_bytes, grew_at_s = found_bytes, now_s
        elif size_bytes and now_s - grew_at_s >= _STILL_FOR_S:
            # The supervisor may have emptied a file that had grown too long.
            return _text_from(file, start_bytes if size_bytes > start_bytes else 0)
        time.sleep(_LOOK_EVERY_S)
    return None


def _text_from(file: Path, start_bytes: int) -> str:
    try:
        with file.open("rb") as stacks:
            stacks.seek(start_bytes)
            return stacks.read(_LARGEST_STACK_BYTES).decode(errors="replace").strip()
    except OSError:  # the process has just ended, and its file was deleted
        return ""


def _size_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def unknown_slot(store: Store, name: str, role: Role | None = None) -> str:
    """Say that there is no such slot, of this role if one is given, and what may be meant.

    Whoever gives the name of a pool or program gets the names of its slots.
    """
    noun, slots = "slot" if role is None else str(role), store.processes.slots()
    text = f"there is no {noun} {name[:80]!r}"
    owners = [part for part in (name, name.rpartition("-")[0]) if part]
    of_role = [row for row in slots if role in (None, row.role)]
    names = [row.slot for row in of_role]
    for owner in owners:
        if siblings := [row.slot for row in of_role if row.pool == owner]:
            return f"{text}: {owner} has {named(siblings)}"
    near, is_or_are = did_you_mean(name, names), "is" if len(names) == 1 else "are"
    return text + (near or (f": there {is_or_are} {named(names)}" if names else ""))
