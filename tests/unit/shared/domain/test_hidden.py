"""Which paths a rule covers, and what stands in the place of what it hides."""

import json

import pytest

from orpheus.shared.domain.hidden import (
    MASK,
    Hidden,
    hidden_by,
    holds_hidden,
    masked,
    masked_anywhere,
    masked_named,
    masked_places,
    parse_rule,
    rules_of,
)

RULES = rules_of("payload.card payload.*.password payload.cards.1 result.token")


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ('{"card":4711,"n":1}', f'{{"card":"{MASK}","n":1}}'),
        ('{"card":{"number":[1]}}', f'{{"card":"{MASK}"}}'),
        ('{"card":null}', f'{{"card":"{MASK}"}}'),
        ('{"a":{"password":"x","n":1},"b":[]}', f'{{"a":{{"password":"{MASK}","n":1}},"b":[]}}'),
        ('{"cards":[1,2,3]}', f'{{"cards":[1,"{MASK}",3]}}'),
        ('{"cards":{"1":2}}', f'{{"cards":{{"1":"{MASK}"}}}}'),
        ('{"c\\u0061rd":1}', f'{{"card":"{MASK}"}}'),
        ('{"a":{"b":{"password":1}},"password":1}', None),
        ('{"n":123456789012345678901234567890,"x":1.0,"e":1e400}', None),
        ('{"Card":1,"token":2}', None),
        ('["card"]', None),
        ("null", None),
        ('{"card":"47', f'"{MASK}"'),
        ('{"n":1} {"card":2}', f'"{MASK}"'),
    ],
)
def test_what_a_rule_names_is_masked_and_the_rest_is_as_it_was(
    payload: str, shown: str | None
) -> None:
    assert masked(payload, RULES.payload) == (payload if shown is None else shown)


def test_values_beside_a_mask_keep_every_digit() -> None:
    text = '{"card":1,"n":123456789012345678901234567890,"x":[1.0, 1e400]}'
    assert '"n":123456789012345678901234567890,"x":[1.0, 1e400]' in masked(text, RULES.payload)


@pytest.mark.parametrize(
    "fields",
    [
        {"card": "hush"},
        {"user": {"password": "hush"}},
        {"password": "hush"},
        {"deep": [{"er": {"token": "hush"}}]},
        {"payload": {"card": "hush"}},
        {"result": {"token": "hush"}},
    ],
)
def test_a_field_of_a_log_line_is_hidden_by_its_path_or_its_name(fields: object) -> None:
    assert "hush" not in masked_anywhere(json.dumps(fields), RULES)


def test_a_step_or_signal_is_hidden_by_its_own_name_too() -> None:
    assert masked_named("token", '"hush"', RULES) == f'"{MASK}"'
    assert masked_named("fetch", '{"token":"hush"}', RULES) == f'{{"token":"{MASK}"}}'
    assert masked_named("fetch", '"shown"', RULES) == '"shown"'


def test_rules_of_all_types_hold_for_each_type() -> None:
    hidden = hidden_by(["payload.card"], {"pay": ["result.token"], "note": []})
    assert hidden.of("note").written == ["payload.card"]
    assert hidden.of("pay").written == ["payload.card", "result.token"]
    assert hidden.of_all.written == ["payload.card", "result.token"]
    assert not Hidden().of("pay")


@pytest.mark.parametrize(
    ("path", "hides"),
    [
        (("card",), True),
        (("card", "number"), True),
        (("a", "password"), True),
        (("0", "password", "x"), True),
        (("cards", "01"), True),
        (("a",), False),
        (("password",), False),
        (("cards", "x"), False),
        (("token",), False),
        ((), True),
    ],
)
def test_a_search_by_what_is_hidden_or_lies_in_it_finds_no_job_of_the_type(
    path: tuple[str, ...], hides: bool
) -> None:
    hidden = hidden_by([], {"pay": RULES.written, "note": ["result.text"]})
    assert ("pay" in (hidden.hiding([("n",), path]) or ())) == hides
    assert "note" not in (hidden.hiding([path]) or ())
    everywhere = hidden_by(RULES.written, {})
    assert everywhere.hiding([path]) == (None if hides else [])


def test_masks_in_a_payload_are_found_only_where_something_is_hidden() -> None:
    payload = {"card": MASK, "text": MASK, "a": [{"password": MASK}, {"password": "x"}]}
    paths = rules_of("payload.card payload.a.*.password").payload
    assert [*masked_places(payload, paths)] == [("card",), ("a", "0", "password")]
    assert holds_hidden({"a": [{"password": 0}]}, paths)
    assert not holds_hidden({"a": [{"passwords": 0}]}, paths)


@pytest.mark.parametrize(
    "text",
    ["", "card", "payload", "result", "payload.", "payload..a", ".card", "payload.a b", "a.b"],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a path such as payload"):
        parse_rule(text)


@pytest.mark.parametrize("name", ["card", "card#2", "pages[1] card", "pages[1] lines[2] card#13"])
def test_a_step_that_is_called_like_a_hidden_field_is_hidden_however_often_it_is_done(
    name: str,
) -> None:
    rules = rules_of("payload.card")
    assert masked_named(name, '"4711"', rules) == f'"{MASK}"'
    assert masked_named(f"{name}s", '"4711"', rules) == '"4711"'
