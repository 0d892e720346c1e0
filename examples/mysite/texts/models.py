"""What the site stores."""

from django.db import models


class Text(models.Model):
    """A text that a visitor sent, and the task that counts its words."""

    body = models.TextField()
    task = models.CharField(max_length=64)
