"""Which queues stay as an operator has paused or resumed them, whatever the configuration says.

The answers of GET and PUT /config and `orpheus config show` say it in these words.
"""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from orpheus.shared.operations.configuration import Setting
from orpheus.shared.storage import Store


def noted(settings: Iterable[Setting], store: Store) -> tuple[Setting, ...]:
    """Return the settings, each with a note if it has no effect because of an operator."""
    by_hand = {
        key: (name, paused)
        for name, paused in store.queues.paused_by_hand().items()
        for key in _keys(name)
    }
    return tuple(
        replace(one, note=_sentence(*by_hand[one.key]))
        if one.key in by_hand and one.value != by_hand[one.key][1]
        else one
        for one in settings
    )


def kept_by_hand(changed: Collection[str], store: Store) -> list[str]:
    """Return which queues of an edit that has `changed` these keys stay as they are."""
    queues = {key.removesuffix(".paused") for key in changed if key.startswith("queues.")}
    if not queues:
        return []
    return [
        _sentence(name, paused)
        for name, paused in store.queues.paused_by_hand().items()
        if any(key.removesuffix(".paused") in queues for key in _keys(name))
    ]


def _keys(name: str) -> tuple[str, str]:
    """Return the two ways to write the key of a queue's `paused`."""
    return f"queues.{name}.paused", f'queues."{name}".paused'


def _sentence(name: str, paused: bool) -> str:
    return (
        f"Queue {name} stays {'paused' if paused else 'open'}: an operator has "
        f"{'paused' if paused else 'resumed'} it, which counts more than the file."
    )
