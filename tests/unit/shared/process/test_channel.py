"""The control channel: whole lines, no blocking, EOF seen."""

import select
import socket

from orpheus.shared.process.channel import Channel


def a_pair() -> tuple[Channel, Channel]:
    ours, theirs = Channel.pair()
    return ours, Channel(theirs)


def test_messages_arrive_whole_and_in_order() -> None:
    ours, theirs = a_pair()
    for n in range(3):
        assert ours.send({"say": "beat", "n": n})
    assert theirs.receive() == [{"say": "beat", "n": n} for n in range(3)]
    assert theirs.receive() == []
    ours.close()
    theirs.close()


def test_the_first_message_is_waited_for_and_the_rest_kept() -> None:
    ours, theirs = a_pair()
    ours.send({"handover": {"text": "x" * 200_000}})
    ours.send({"do": "drain"})
    first = theirs.receive_first(5)
    assert first is not None and len(first["handover"]["text"]) == 200_000
    assert theirs.receive() == [{"do": "drain"}]
    ours.close()
    theirs.close()


def test_silence_and_eof_before_the_first_message_are_none() -> None:
    ours, theirs = a_pair()
    assert theirs.receive_first(0.01) is None
    ours.close()
    assert theirs.receive_first(5) is None
    assert theirs.closed
    theirs.close()


def test_eof_is_seen_after_the_last_message() -> None:
    ours, theirs = a_pair()
    ours.send({"do": "stop"})
    ours.close()
    assert theirs.receive() == [{"do": "stop"}]
    assert theirs.receive() == []
    assert theirs.closed
    theirs.close()


def test_sending_to_a_dead_end_or_a_full_one_neither_raises_nor_blocks() -> None:
    ours, theirs = a_pair()
    theirs.close()
    assert not ours.send({"do": "stop"})
    assert ours.closed
    ours.close()
    ours, theirs = a_pair()
    while ours.send({"say": "x" * 1000}):
        pass
    assert not ours.closed
    assert ours.poll_events() == select.POLLIN | select.POLLOUT
    ours.close()
    theirs.close()


def test_a_line_that_is_no_json_object_is_dropped() -> None:
    left, right = socket.socketpair()
    channel = Channel(right)
    left.sendall(b'not json\n[1]\n{"say":"ready"}\n{"say":')
    assert channel.receive() == [{"say": "ready"}]
    left.sendall(b'"beat"}\n')
    assert channel.receive() == [{"say": "beat"}]
    left.close()
    channel.close()


def test_what_there_is_no_room_for_is_sent_whole_and_in_order_once_there_is() -> None:
    ours, theirs = a_pair()
    assert ours.send({"handover": "x" * 1_000_000})
    assert ours.send({"do": "drain"})
    assert ours.poll_events() == select.POLLIN | select.POLLOUT
    received: list[dict[str, object]] = []
    while len(received) < 2:
        received += theirs.receive()
        ours.flush()
    assert received == [{"handover": "x" * 1_000_000}, {"do": "drain"}]
    assert ours.poll_events() == select.POLLIN
    ours.close()
    theirs.close()


def test_one_call_reads_a_bounded_part_of_a_flood() -> None:
    ours, theirs = a_pair()
    while theirs.poll_events() == select.POLLIN:
        theirs.send({"say": "x" * 1_000})
    assert 0 < len(ours.receive()) <= 65
    theirs.close()
    assert ours.receive_last()
    assert ours.closed
    ours.close()
