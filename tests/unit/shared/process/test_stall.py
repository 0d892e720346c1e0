"""A process notices that it stood still, in the thread that looks and in the others."""

from orpheus.shared.process.stall import StallWatch


def test_a_look_in_time_is_no_stall() -> None:
    watch = StallWatch()
    assert watch.is_calm(0.0)
    assert watch.look(1e6, 10) == 0, "the first one"
    watch.expect(100.0)
    assert watch.look(50.0, 10) == 0, "it was woken"
    assert watch.look(102.0, 10) == 0
    assert watch.is_calm(102.0)


def test_after_a_stall_it_recovers_for_a_while() -> None:
    watch = StallWatch()
    watch.expect(100.0)
    assert watch.look(103.0, 10) == 3
    watch.expect(104.0)
    assert not watch.is_calm(103.0)
    watch.expect(112.0)
    assert watch.look(112.0, 10) == 0
    assert not watch.is_calm(112.9)
    assert watch.is_calm(113.0)


def test_another_thread_sees_a_stall_that_was_not_looked_at_yet() -> None:
    watch = StallWatch()
    watch.expect(100.0)
    assert watch.is_calm(102.0)
    assert not watch.is_calm(102.1)
