"""What a job wrote and what befell it, as the API and the clients tell it."""

import pytest

from orpheus.shared.domain.events import Event, Kind
from orpheus.shared.domain.hidden import NO_RULES
from orpheus.shared.domain.jobs import LogLine
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.messages.encoding import encode
from orpheus.shared.messages.events import event_of
from orpheus.shared.messages.jobs import log_line_of


def line(fields: str) -> LogLine:
    return LogLine(1, 1, 0, "info", "said", fields)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ('{"n":123456789012345678901}', '{"n":123456789012345678901}'),
        ('{"n":NaN}', '{"n":"NaN"}'),
        ('{"page":', '{"unreadable": "{\\"page\\":"}'),
        ("[1]", '{"unreadable": "[1]"}'),
        ("NaN", '{"unreadable":"NaN"}'),
    ],
)
def test_the_fields_of_a_log_line_are_told_also_if_they_are_damaged(
    fields: str, shown: str
) -> None:
    assert f'"fields":{shown}' in encode(log_line_of(line(fields), NO_RULES)).decode()


@pytest.mark.parametrize("body", ['{"queue":', "[1]", "7"])
def test_an_event_whose_body_is_damaged_says_so(body: str) -> None:
    with pytest.raises(DatabaseUnusable, match="is damaged"):
        event_of(Event(1, 0, Kind.QUEUE_PAUSED, None, body))
