"""Bells wake, merge, and never block."""

import os
from pathlib import Path

import pytest

from orpheus.shared.process.doorbells import Bell, Caller, Doorbells


def test_a_ring_reaches_a_listener_and_rings_merge(tmp_path: Path) -> None:
    bells = Doorbells(tmp_path / "bells", {"default": ("*",)})
    bell = bells.listen_pool("default")
    assert not bell.drain()
    for _ in range(3):
        bells.ring_pool("default")
    assert bell.drain()
    assert not bell.drain()
    bell.close()
    bells.close()


def test_ringing_without_a_listener_or_into_a_full_bell_costs_nothing(tmp_path: Path) -> None:
    bells = Doorbells(tmp_path / "bells", {"default": ("*",)})
    for _ in range(100_000):
        bells.ring_api()
    bell = bells.listen_api()
    assert bell.drain()
    bell.close()
    bells.close()


def test_only_pools_that_serve_the_queue_are_rung(tmp_path: Path) -> None:
    bells = Doorbells(
        tmp_path / "bells", {"all": ("*",), "mail": ("mail", "post"), "other": ("x",)}
    )
    listening = {pool: bells.listen_pool(pool) for pool in ("all", "mail", "other")}
    bells.ring_pools_of({"post"})
    assert {pool: bell.drain() for pool, bell in listening.items()} == {
        "all": True,
        "mail": True,
        "other": False,
    }
    for bell in listening.values():
        bell.close()
    bells.close()


def test_a_folder_that_cannot_be_written_costs_the_ring_not_the_caller(tmp_path: Path) -> None:
    (tmp_path / "bells").write_text("a file where the folder should be")
    Doorbells(tmp_path / "bells", {}).ring_api()


def test_a_caller_knows_whether_anybody_listens_and_rings_however_many_rings_are_old(
    tmp_path: Path,
) -> None:
    caller = Caller(tmp_path / "bell")
    assert (caller.is_heard(), caller.ring()) == (False, False)
    bell = Bell(tmp_path / "bell", os.O_RDONLY)
    assert caller.is_heard()
    assert all(caller.ring() for _ in range(70_000)), "a full pipe is emptied"
    assert bell.drain()
    bell.close()
    assert (caller.is_heard(), caller.ring()) == (False, False)
    caller.close()


def test_a_caller_keeps_no_descriptor_if_another_empties_the_full_bell_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, bell = Caller(tmp_path / "bell"), Bell(tmp_path / "bell", os.O_RDONLY)
    read = os.read

    def read_after_another(fd: int, most: int) -> bytes:
        read(fd, most)
        return read(fd, most)

    monkeypatch.setattr(os, "read", read_after_another)
    before = len([*Path("/proc/self/fd").iterdir()])
    assert all(caller.ring() for _ in range(70_000))
    assert len([*Path("/proc/self/fd").iterdir()]) == before
    bell.close()
    caller.close()
