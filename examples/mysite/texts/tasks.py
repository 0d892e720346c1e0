"""The tasks of the app. Each may run again after a crash, so each can be done twice."""

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

from texts.models import Text


@task(takes_context=True)
def count_words(context, text_id: int) -> dict[str, int]:
    """Count the words of a text."""
    body = Text.objects.get(id=text_id).body
    context.orpheus.log.info("counting", characters=len(body))
    return {"words": len(body.split())}
