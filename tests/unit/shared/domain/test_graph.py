"""Which jobs a bounded graph has."""

from orpheus.shared.domain.graph import nearest


def test_each_direction_gets_half_of_the_room_if_both_have_too_many() -> None:
    assert nearest(0, [1, 2, 3, 4], [11, 12, 13], most=5) == [0, 1, 2, 11, 12]


def test_what_one_direction_leaves_the_other_gets() -> None:
    assert nearest(0, [1], [11, 12, 13, 14], most=5) == [0, 1, 11, 12, 13]
    assert nearest(0, [1, 2, 3, 4], [11], most=5) == [0, 1, 2, 3, 11]


def test_a_job_that_is_before_and_after_is_there_once() -> None:
    assert nearest(0, [1], [1, 2], most=10) == [0, 1, 2]
