"""The app of INSTALLED_APPS: the outbox, its check, the command and the admin's list need it."""

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig
from django.core import checks

from orpheus.django.backend import OrpheusBackend
from orpheus.django.compat import task_backends


class OrpheusConfig(AppConfig):
    """Its label is `orpheus`: the last part of its name, `django`, would mislead."""

    name = "orpheus.django"
    label = "orpheus"
    verbose_name = "Orpheus"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have `manage.py check`, and the commands that begin with it, check the outboxes."""
        checks.register(check_outboxes)


def check_outboxes(**_: Any) -> Iterator[checks.Warning]:
    """Warn of outboxes that Orpheus does not read."""
    for backend in task_backends.all():
        trouble = backend.trouble_of_outbox() if isinstance(backend, OrpheusBackend) else ""
        if trouble:
            yield checks.Warning(trouble, id="orpheus.W001")
