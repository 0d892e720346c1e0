"""Alerts in a configuration that is shown: where they are sent, and with what, is a secret."""

import pytest

from orpheus.config.editing.toml import masked, unmasked
from orpheus.config.settings import Alert, Settings
from orpheus.config.shown import shown_values

RULE = "[[alerts]]\nname = 'a'\non = ['job.failed']\n"


@pytest.mark.parametrize(
    "secret",
    [
        "webhook = 'https://chat.example/hooks/hunter2'\n",
        "type = 'webhook'\npayload = { url = 'https://chat.example/hunter2' }\n",
        "type = 'mail'\npayload = { a = ['hunter2'], b.c = 'hunter2', d = [{e = 'hunter2'}] }\n",
    ],
)
def test_a_token_in_an_alert_is_masked(secret: str) -> None:
    shown, count = masked(RULE + secret)
    assert "hunter2" not in shown and count
    assert unmasked(shown, RULE + secret) == RULE + secret


def test_what_is_not_set_has_no_mask() -> None:
    alert = Alert(name="a", on=("job.failed",), webhook="https://chat.example/hooks/hunter2")
    (shown,) = shown_values(Settings(alerts=(alert,)))["alerts"]
    assert (shown["type"], shown["payload"]) == (None, None)
    assert shown["webhook"] and "hunter2" not in shown["webhook"]
