"""The pages of the app."""

from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render

from texts.models import Text
from texts.tasks import count_words


def send(request):
    """Store a text and enqueue its task in one transaction, or show the form."""
    if request.method != "POST":
        return render(request, "texts/send.html")
    with transaction.atomic():
        text = Text.objects.create(body=request.POST["body"])
        text.task = count_words.enqueue(text.id).id
        text.save()
    return redirect("show", text.id)


def show(request, number: int):
    """Show the number of words, once it is known."""
    text = get_object_or_404(Text, id=number)
    result = count_words.get_result(text.task)
    return render(request, "texts/show.html", {"text": text, "result": result})
