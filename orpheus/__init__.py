"""The import name of Orpheus: what a job author or an application uses, `from orpheus import job`.

The five folders beside this file are links to the top-level folders of the checkout, so that one
name, `orpheus`, leads to everything and an application may have `api`, `worker` or `shared`
packages of its own. Nothing else belongs in here.
"""

from orpheus.shared.job_types.registry import Context, PermanentError, Snooze, job

__all__ = ["Context", "PermanentError", "Snooze", "job"]
