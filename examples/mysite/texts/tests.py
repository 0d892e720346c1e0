"""Tests of the app, without a running Orpheus."""

from unittest.mock import Mock

from django.test import TestCase

from texts.models import Text
from texts.tasks import count_words


class TextsTest(TestCase):
    """`python manage.py test`."""

    def test_a_text_is_stored_with_its_task(self) -> None:
        answer = self.client.post("/", {"body": "to be or not to be"})
        text = Text.objects.get()
        self.assertRedirects(answer, f"/texts/{text.id}/")
        result = count_words.get_result(text.task)
        self.assertEqual((result.status, result.args), ("READY", [text.id]))
        self.assertContains(self.client.get(f"/texts/{text.id}/"), "Counting")

    def test_words_are_counted(self) -> None:
        text = Text.objects.create(body="to be or not to be")
        self.assertEqual(count_words.call(Mock(), text.id), {"words": 6})
