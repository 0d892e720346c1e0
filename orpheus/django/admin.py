"""The newest jobs in the admin, to be looked at. To act, there are the links to the dashboard."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path

from orpheus.client import OrpheusError, Status
from orpheus.django.backend import OrpheusBackend
from orpheus.django.compat import task_backends
from orpheus.django.models import Job

_SHOWN = 100


def _never(*_: object, **__: object) -> bool:
    return False


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    """A page with the newest jobs of the first OrpheusBackend in TASKS."""

    def get_urls(self) -> list[Any]:
        """Return the list alone: there is no table to add to or to change."""
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="orpheus_job_changelist")]

    has_add_permission = has_change_permission = has_delete_permission = _never

    def changelist_view(self, request: Any, _extra_context: Any = None) -> Any:
        """Answer with the newest jobs, or why they cannot be read."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        backends = [b for b in task_backends.all() if isinstance(b, OrpheusBackend)]
        if not backends:
            raise Http404("TASKS has no OrpheusBackend")
        backend = backends[0]
        status, q, jobs, trouble = request.GET.get("status"), request.GET.get("q", ""), [], ""
        try:
            jobs = list(backend.client.jobs(status=status or None, q=q or None, limit=_SHOWN))
        except (OrpheusError, ValueError) as error:  # ValueError: the status is from the URL
            trouble = str(error)
        context = {
            **self.admin_site.each_context(request),
            "title": "Jobs",
            "opts": self.opts,
            "jobs": jobs,
            "trouble": trouble,
            "status": status,
            "q": q,
            "statuses": list(Status),
            "dashboard": backend.options.get("DASHBOARD", "").rstrip("/"),
            "most": _SHOWN,
        }
        return TemplateResponse(request, "admin/orpheus/jobs.html", context)
