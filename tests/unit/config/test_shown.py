"""Secrets are masked wherever they are, in the text and in the values, and nothing else is."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.editing.toml import CannotMask, masked, unmasked
from orpheus.config.problems import known_keys
from orpheus.config.settings import Settings
from orpheus.config.shown import secrets_in, shown_settings, shown_values
from orpheus.shared.domain.hidden import MASK

SHIPPED = (Path(__file__).parents[3] / "config" / "orpheus.toml").read_text(encoding="utf-8")
SECRETS = """
[[commands]]
name = "pay"
argv = ["true"]
env = {KEY = "hush-1", LONG = \"\"\"hush-2
hush-3\"\"\"} # both of them

[[commands]]
name = "mail"
argv = ["true"]
[commands.env]
KEY = 'hush-4'

[logging]
level = "info" # the last line
"""


@pytest.mark.parametrize(
    "text",
    [
        SECRETS,
        "[[comands]]\nname = 'x'\nenv = { SECRET = 'hush' } # a comment\nflag = true\n",
        "[commands]\nname = 'x'\nenv = { SECRET = 'hush' }\n",
        "[a.b]\nenv = { SECRET = 'hush' }\n[api]\nport = 1\n",
        "[[commands]]\nname = 'x'\nargv = ['x']\nenw = { SECRET = 'hush' }\n",
        "[[commands]]\nname = 'x'\nargv = ['x']\nenv = ['SECRET=hush']\n",
        "[[commands]]\nname = 'x'\nenvironment.SECRET = [\n  'hush',\n]\n",
        "commands = 'SECRET=hush'\n",
        "pools = { a = 'hush' }\n",
        "pools = 'hush'\n",
        "[jobs]\nmax_retires = 'hush'\n",
        "[[commands]]\nname = 'x'\nargv = { SECRET = 'hush' }\n",
        "[[outboxes]]\nname = 'x'\nurl = 'postgresql://u:hush@h/d' # a comment\n",
        "[[outboxes]]\nname = 'x'\nurl = 'postgresql://u@h/d?password=hush'\n",
        "[[outboxes]]\nname = 'x'\nurl = 'mysql://u:hush@h/d'\n",
        "[database]\nlisten_url = 'postgresql://u:hush@h/d'\n",
        "[[programs]]\nname = 'x'\nready = { http = 'http://h/?key=hush' }\n",
        "[[programs]]\nname = 'x'\n[programs.ready]\nhttp.x = 'http://h/?key=hush'\n",
        "[[programs]]\nname = 'x'\nalive.http = 'HTP://h/?key=hush' # a comment\n",
        "[[programs]]\nname = 'x'\nalive.htp = 'http://h/?key=hush'\n",
        "[[programs]]\nname = 'x'\nraedy.http = 'http://h/?key=hush'\n",
        "[[schedules]]\nname = 'x'\npayload = { env = { SECRET = 'hush' }, n = 1 }\n",
        "[[alerts]]\nname = 'x'\nwebhook = 'https://h/hush'\npayload = {a = 'hush', b = [1]}\n",
        "[x]\nl = [{k = 'hush'}, 'hush']\n",
        'commands = [{name = "a", argv = ["a"], env = {K = "hush"}}]\n',
        '[[commands]]\r\nname = "a"\r\nargv = ["a"]\r\nenv = {K = "hush"}\r\n',
        '[[commands]]\nname = "pay"\nenv = {KEY = "hush"}\n# mine = 5\n[logging]\nlevel = 5\n',
        (
            '[privacy]\nhide = ["payload.card", "payload.users.*.pin"]\n[[schedules]]\nname = "a"\n'
            'payload = {card = {n = "hush"}, users = [{pin = "hush", n = 1}]}\n'
        ),
    ],
)
def test_a_secret_is_masked_and_comes_back_in_its_place(text: str) -> None:
    shown = masked(text)
    assert "hush" not in shown and MASK in shown
    assert unmasked(shown, text) == text


def test_what_is_known_and_no_secret_is_shown() -> None:
    text = SHIPPED + "[queues.env]\nmax_running = 3\n"
    for url in ("sqlite:///a:b@password.db", "postgresql://user@host:5432/shop"):
        text += f"[[outboxes]]\nname = '{url[:6]}'\nurl = '{url}'\n"
    text += "[[schedules]]\nname = 'a'\npayload = { a = [{ b = 'c' }] }\n"
    assert list(secrets_in(tomllib.loads(text))) == []
    assert masked(text) == text


@pytest.mark.parametrize(
    "more", ['# KEY = "hush"', '[logging]\nlevel = "hush"', "[jobs]\naround = ['say \"hush\"']"]
)
def test_only_the_secret_is_masked_where_the_same_stands_elsewhere(more: str) -> None:
    text = f'[[commands]]\nname = "pay"\nenv = {{KEY = "hush"}}\n\n{more}\n'
    shown = masked(text)
    assert f'KEY = "{MASK}"' in shown and more in shown
    assert unmasked(shown, text) == text


@pytest.mark.parametrize(
    "moved",
    [
        lambda text: text + f'[queues.a]\nrate = "{MASK}"\n',
        lambda text: text + f"# {MASK}\n",
        lambda text: text.replace("KEY", "OTHER"),
        lambda text: text.replace('"mail"', '"letters"'),
    ],
)
def test_a_mask_stands_for_a_secret_only_where_one_was(moved: Callable[[str], str]) -> None:
    with pytest.raises(CannotMask, match="is not shown: write the value"):
        unmasked(moved(masked(SECRETS)), SECRETS)


@pytest.mark.parametrize("text", ["[api", f"a = {'[' * 5000}", f"{'a.' * 101}b = 1"])
def test_a_text_that_is_not_toml_cannot_be_masked(text: str) -> None:
    with pytest.raises(CannotMask, match="is not TOML"):
        masked(text)
    with pytest.raises(CannotMask, match="is not TOML"):
        unmasked(f"{text}\n# {MASK}", "")


def test_the_values_are_masked_too_and_each_tells_what_set_it(
    load: Callable[..., Settings], toml: Callable[[str], Path]
) -> None:
    path = toml(SECRETS + "[api]\nport = 1\nmax_clients = 1\n")
    settings = load(path, ["api.port=3"], {"ORPHEUS_API__MAX_BODY": "5"})
    assert "hush" not in repr(shown_values(settings))
    shown = {setting.key: setting for setting in shown_settings(settings)}
    origins = {key: shown[f"api.{key}"].origin for key in ("port", "max_clients", "max_body")}
    assert origins == {
        "port": "--set", "max_clients": f"{path}:18", "max_body": "ORPHEUS_API__MAX_BODY",
    }  # fmt: skip
    assert shown["api.host"].origin == "default"
    assert shown["commands"].origins == (f"{path}:2", f"{path}:8")
    assert len(shown) >= len({key for key in known_keys(Settings) if len(key) == 2})
