"""The backend for Django's tasks, and an app with `manage.py orpheus` and a list in the admin.

Nothing else in Orpheus imports Django.
"""

from orpheus.django.backend import OrpheusBackend

__all__ = ["OrpheusBackend"]
