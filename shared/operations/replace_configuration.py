"""Put a checked edit into the configuration file, with its row in the audit log.

The row is committed before the file is put in its place, so that no change is without one. If the
file has changed at the last moment, a second row says that it was not replaced. Without a store
there is no row: whoever may edit the file on the machine can do so while no database can be used.
"""

from orpheus.shared.operations.audit import Actor
from orpheus.shared.operations.configuration import ConfigurationEditor, PlannedEdit
from orpheus.shared.storage import Store


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

    def record(target: str, count: int) -> None:
        if store is not None:
            store.audit.record("configure", target, by=actor.name, reason=actor.reason, count=count)

    with editor.prepared(planned, actor.name, actor.reason) as replace:
        record(target, len(planned.outcome.changed or ()))
        try:
            return replace()
        except Exception:
            record(f"{target}, which was not replaced", 0)
            raise
