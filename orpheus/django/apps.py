"""The app of INSTALLED_APPS: only the command and the admin's list need it."""

from django.apps import AppConfig


class OrpheusConfig(AppConfig):
    """Its label is `orpheus`: the last part of its name, `django`, would mislead."""

    name = "orpheus.django"
    label = "orpheus"
    verbose_name = "Orpheus"
    default_auto_field = "django.db.models.BigAutoField"
