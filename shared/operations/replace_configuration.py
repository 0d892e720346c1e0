"""Put a checked edit into the configuration file, with its row in the audit log.

The row is committed before the file is put in its place, so that no change is without one. If the
file has changed at the last moment, a second row says that it was not replaced. Without a store
there is no row: whoever may edit the file on the machine can do so while no database can be used.
"""

from collections.abc import Sequence

from orpheus.shared.operations.configuration import (
    ConfigurationEditor,
    EditOutcome,
    PlannedEdit,
)
from orpheus.shared.storage import Actor, Store

_MOST_NAMED = 5


def replace_configuration(
    editor: ConfigurationEditor,
    planned: PlannedEdit,
    actor: Actor,
    version: int | None,
    store: Store | None,
) -> str:
    """Replace the file and return its new etag. `version`: the one that it goes back to.

    Raises FileChanged, NotEditable, and OSError for a full disk.
    """
    target = "configuration" if version is None else f"configuration, back to version {version}"

    def record(target: str, changed: Sequence[str], before: str | None, after: str | None) -> None:
        if store is not None:
            store.audit.record(
                "configure",
                target,
                by=actor.name,
                reason=actor.reason,
                count=len(changed),
                before=before,
                after=after,
            )

    with editor.prepared(planned, actor.name, actor.reason) as replace:
        changed = planned.outcome.changed or ()
        record(target, changed, *_versions(editor, planned.outcome))
        try:
            return replace()
        except Exception:
            record(f"{target}, which was not replaced", (), None, None)
            raise


def _versions(editor: ConfigurationEditor, outcome: EditOutcome) -> tuple[str | None, str | None]:
    """Return the versions before and after, if they are kept, the latter with what differs."""
    differences = _named(outcome.changed or ())
    kept = [f"version {version.version.number}" for version in editor.versions()[:2]]
    after = f"{kept[0]}: {differences}" if kept and differences else kept[0] if kept else None
    return kept[1] if len(kept) > 1 else None, after


def _named(changed: Sequence[str]) -> str:
    named = ", ".join(changed[:_MOST_NAMED])
    more = len(changed) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
