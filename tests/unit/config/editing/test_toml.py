"""Secrets in a TOML text: masked quickly where they stand plainly, and nothing else is."""

import pytest

from orpheus.config.editing.toml import masked, unmasked
from orpheus.shared.operations.configuration import MASK


def test_plain_secrets_are_masked_without_a_look_at_the_layout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orpheus.config.editing.toml.tomlkit", None)  # it takes seconds
    text = '[[commands]]\nname = "pay"\nargv = ["a"]\nenv = {KEY = "hush", B = "b"} # why\n'
    assert masked(text) == (text.replace("hush", MASK).replace('"b"', f'"{MASK}"'), 2)
    assert masked("# only\n[api]\nport = 1\n")[1] == 0


@pytest.mark.parametrize(
    "more", ['# KEY = "hush"', '[logging]\nlevel = "hush"', "[programs]\nhush = 'say \"hush\"'"]
)
def test_only_the_secret_is_masked_where_the_same_stands_elsewhere(more: str) -> None:
    text = f'[[commands]]\nname = "pay"\nenv = {{KEY = "hush"}}\n\n{more}\n'
    shown, _ = masked(text)
    assert f'KEY = "{MASK}"' in shown
    assert unmasked(shown, text) == text
