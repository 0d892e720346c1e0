"""What stands for Orpheus' jobs in the admin."""

from django.db import models


class Job(models.Model):
    """A job, for the admin's index and its permission `view_job`. It has no table."""

    class Meta:
        """No table, and nothing to change."""

        managed = False
        default_permissions = ("view",)
