"""The part of a configuration that can be checked further although the rest is wrong.

So one round tells all that can be known: a value that is not valid hides no other mistake.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from pydantic import ValidationError

from orpheus.config.problems import KeyPath, Problem, problems_of, without
from orpheus.config.settings import Settings


class SoundPart(msgspec.Struct, frozen=True):
    """Settings with the default in place of each invalid value, and without entries that need it.

    `places`: for each list of tables that lacks entries, where those that are left stand in it.
    """

    settings: Settings
    places: Mapping[str, Sequence[int]]

    def problems(self, found: Iterable[Problem], invalid: Collection[KeyPath]) -> Iterator[Problem]:
        """Return what was found in the part, as problems of the whole.

        Leave out what may only follow from the `invalid` keys.
        """
        lacking = {(table,) for table in self.places}
        lacking |= {("pools",) for key in invalid if key[:1] == ("pools",) and len(key) == 2}  # one
        wrong = set(filter(None, invalid))  # the empty key is of a source, and not of all values
        around = {key[:length] for key in wrong for length in range(1, len(key) + 1)}
        for problem in found:
            key, *also = map(self._placed, (problem.key, *problem.also))
            within = {one[:length] for one in also for length in range(1, len(one) + 1)}
            if key not in around and lacking.isdisjoint(also) and wrong.isdisjoint(within):
                yield replace(problem, key=key, also=tuple(also))

    def leaving_out(self, entries: Collection[KeyPath]) -> "SoundPart":
        """Return the part without these entries of lists, which are named as in its settings."""
        kept, places = {}, dict(self.places)
        for table in {str(key[0]) for key in entries if _is_in_list(key)}:
            listed = getattr(self.settings, table)
            left = [at for at in range(len(listed)) if (table, at) not in entries]
            kept[table] = tuple(listed[at] for at in left)
            places[table] = [places[table][at] for at in left] if table in places else left
        return SoundPart(self.settings.model_copy(update=kept), places)

    def _placed(self, key: KeyPath) -> KeyPath:
        places = self.places.get(str(key[0])) if len(key) > 1 else None
        return key if places is None else (key[0], places[int(key[1])], *key[2:])


def sound_part(values: Mapping[str, Any], invalid: Collection[KeyPath]) -> SoundPart | None:
    """Return the sound part of the tables of a configuration; None if there is none."""
    kept = _without_keys_in_entries(values, invalid)
    try:
        return SoundPart(Settings.model_validate(kept), {})
    except ValidationError as error:  # an entry needs what is wrong, such as its name
        wrong = {problem.key for problem in problems_of(error, Settings)}
    leave_out = {key[:2] for key in wrong if _is_in_list(key)}
    places = {
        table: [at for at in range(len(kept[table])) if (table, at) not in leave_out]
        for table in {str(table) for table, _ in leave_out}
    }
    kept = without(kept, [key for key in wrong if not _is_in_list(key)])
    kept |= {table: [kept[table][at] for at in some] for table, some in places.items()}
    try:
        return SoundPart(Settings.model_validate(kept), places)
    except ValidationError:
        return None


def _is_in_list(key: KeyPath) -> bool:
    return len(key) > 1 and isinstance(key[1], int)


def _without_keys_in_entries(
    values: Mapping[str, Any], keys: Collection[KeyPath]
) -> dict[str, Any]:
    """Return `values` without the keys, but with every entry of a list of tables."""
    kept = without(values, [key for key in keys if not _is_in_list(key)])
    in_entries: dict[KeyPath, list[KeyPath]] = defaultdict(list)
    for key in keys:
        if _is_in_list(key) and len(key) > 2:
            in_entries[key[:2]].append(key[2:])
    for (table, index), some in in_entries.items():
        entries = list(kept[str(table)])
        entries[int(index)] = without(entries[int(index)], some)
        kept[str(table)] = entries
    return kept
