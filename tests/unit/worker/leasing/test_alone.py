"""A job that has crashed waits for a worker with nothing else to do, but not for ever."""

from orpheus.worker.leasing.alone import AloneChoice


def test_without_crashes_the_first_are_taken_in_order() -> None:
    alone = AloneChoice()
    assert list(alone.eligible([0, 0, 0], 2, 0.0, is_idle=False)) == [0, 1]
    assert alone.most_to_read(2) == 2


def test_an_idle_worker_takes_it_alone_when_it_is_the_next() -> None:
    assert list(AloneChoice().eligible([1, 0, 0], 3, 0.0, is_idle=True)) == [0]


def test_a_busy_worker_passes_it_over_and_looks_behind_it() -> None:
    alone = AloneChoice()
    assert list(alone.eligible([0, 2, 0, 1], 3, 0.0, is_idle=False)) == [0, 2]
    assert list(alone.eligible([1, 1], 2, 0.0, is_idle=False)) == []
    assert alone.most_to_read(2) > 250


def test_after_ten_seconds_it_takes_those_before_it_and_it() -> None:
    alone = AloneChoice()
    for now_s in (0.0, 9.9):
        assert list(alone.eligible([0, 1, 0], 3, now_s, is_idle=False)) == [0, 2]
    assert list(alone.eligible([0, 1, 0], 1, 10.0, is_idle=False)) == [0], "in order"
    assert list(alone.eligible([0, 1, 0], 3, 10.0, is_idle=False)) == [0, 1]
    alone.taken()
    assert list(alone.eligible([0, 1, 0], 3, 11.0, is_idle=False)) == [0, 2]


def test_time_counts_only_while_one_is_waiting() -> None:
    alone = AloneChoice()
    alone.eligible([1], 3, 0.0, is_idle=False)
    alone.eligible([0], 3, 5.0, is_idle=False)
    assert list(alone.eligible([1], 3, 12.0, is_idle=False)) == []
