"""What Django promises of a backend, checked on this one. The jobs run in a Harness."""

import logging
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest
from unittest.mock import patch

from django.contrib.auth.models import Permission, User
from django.core.checks.registry import registry
from django.db import connection, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from checked import tasks
from orpheus import Client
from orpheus.client import ConfigurationError, DatabaseUnusable, InvalidJob, JobError
from orpheus.django import OrpheusBackend, backend, compat
from orpheus.django.apps import check_outboxes
from orpheus.django.management.commands.orpheus import Command
from orpheus.testing import Harness

try:
    from django.tasks import default_task_backend, task
    from django.tasks.exceptions import TaskResultMismatch
except ImportError:
    from django_tasks import default_task_backend, task
    from django_tasks.exceptions import TaskResultMismatch

JOBS = ["orpheus.django.jobs"]


def tasks_setting(config: Path | str, **options: Any) -> dict[str, Any]:
    return {
        "default": {
            "BACKEND": "orpheus.django.OrpheusBackend",
            "QUEUES": ["default", "mail"],
            "OPTIONS": {"CONFIG": config, **options},
        }
    }


class OnHarness(SimpleTestCase):
    """With a store of Orpheus for each test, on which `run` runs what is due."""

    databases = ("default",)
    options: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        super().setUp()
        logging.disable()  # failed tasks are logged
        self.addCleanup(logging.disable, logging.NOTSET)
        with override_settings(TASKS=tasks_setting("none", **self.options)):
            self.harness = Harness(modules=JOBS)
        self.addCleanup(self.harness.close)
        setting = override_settings(TASKS=tasks_setting(self.harness.config, **self.options))
        setting.enable()
        self.addCleanup(setting.disable)
        self.addCleanup(backend._client.cache_clear)
        self.addCleanup(default_task_backend.client.close)

    def run_jobs(self) -> None:
        self.harness.advance("5s")  # its clock stands at the time of its start

    def run_to_end(self, result: Any) -> Any:
        self.run_jobs()
        result.refresh()
        return result


class EnqueueTest(OnHarness):
    def test_a_task_is_ready_and_is_found_by_its_id(self) -> None:
        for a_task in (tasks.noop, tasks.answer):
            result = a_task.enqueue(1, two=[3]) if a_task is tasks.noop else a_task.enqueue(add=1)
            self.assertEqual(result.status, "READY")
            self.assertEqual(result.task, a_task)
            self.assertEqual(result.attempts, 0)
            self.assertFalse(result.is_finished)
            with self.assertRaisesMessage(ValueError, "Task has not finished yet"):
                _ = result.return_value
            self.assertEqual(default_task_backend.get_result(result.id), result)
            self.assertEqual(a_task.get_result(result.id), result)
        job = self.harness.get(1)
        self.assertEqual((job.type, job.queue, job.priority), ("checked.tasks.noop", "default", 0))
        self.assertEqual(job.payload, {"args": [1], "kwargs": {"two": [3]}})

    async def test_awaited(self) -> None:
        result = await tasks.noop.aenqueue(1)
        self.assertEqual(await default_task_backend.aget_result(result.id), result)
        await result.arefresh()
        self.assertEqual(result.status, "READY")

    def test_queue_priority_and_time_are_those_of_the_job(self) -> None:
        later = timezone.now() + timedelta(hours=1)
        result = tasks.greet.using(run_after=later, priority=-7).enqueue("Ada")
        job = self.harness.get(int(result.id))
        self.assertEqual((job.queue, job.priority), ("mail", -7))
        self.assertLess(abs(job.run_at - later), timedelta(milliseconds=1))
        self.run_jobs()
        found = tasks.greet.get_result(result.id)
        self.assertEqual((found.status, found.task.run_after), ("READY", job.run_at))
        self.harness.advance("1h")
        self.assertEqual(tasks.greet.get_result(result.id).return_value, "Hello Ada")

    def test_what_is_no_task_of_the_backend_is_refused(self) -> None:
        def inner() -> None: ...

        def outer(long_name_of_a_function_that_is_longer_than_the_name_of_a_type: int) -> None: ...

        outer.__qualname__ = "f" * 65
        for function in (inner, outer):
            with self.assertRaises(compat.InvalidTask):
                task(function)
        for change in ({"priority": 101}, {"priority": -101}, {"queue_name": "other"}):
            with self.assertRaises(compat.InvalidTask):
                tasks.noop.using(**change)
        with self.assertRaisesMessage(compat.InvalidTask, "aware"):
            tasks.noop.using(run_after=timezone.now().replace(tzinfo=None))

    def test_arguments_that_are_not_json_are_refused(self) -> None:
        refused = (({1}, TypeError), (b"\xff", ValueError), ("\0", InvalidJob))
        for argument, error in (*refused, (float("nan"), InvalidJob), (2**70, InvalidJob)):
            with self.subTest(argument), self.assertRaises(error):
                tasks.noop.enqueue(argument)
        self.assertEqual(self.harness.jobs(), [])

    def test_arguments_that_the_function_does_not_take_are_refused(self) -> None:
        for a_task, args, kwargs, why in (
            (tasks.greet, (), {}, "missing a required argument: 'name'; it takes (name"),
            (tasks.greet, ("Ada",), {"nmae": 1}, "unexpected keyword argument 'nmae'"),
            (tasks.greet, ("Ada", 1), {}, "checked.tasks.greet: too many positional arguments"),
            (tasks.look, (1,), {}, "too many positional"),
        ):
            with self.subTest(why), self.assertRaisesMessage(TypeError, why):
                a_task.enqueue(*args, **kwargs)
        self.assertEqual(self.harness.jobs(), [])

    def test_a_task_that_the_workers_do_not_know_is_refused(self) -> None:
        new = task(unknown_to_workers)
        with self.assertRaisesMessage(compat.InvalidTask, "the workers do not know this task"):
            new.enqueue()

    def test_ids_that_are_of_no_task_of_this_site(self) -> None:
        other = self.harness.submit("sum_range", {"n": 1})
        for task_id in ("999", str(10**30), "abc", "x" * 100, "", "٣", str(other.id)):
            with self.subTest(task_id), self.assertRaises(compat.TaskResultDoesNotExist):
                default_task_backend.get_result(task_id)
        result = tasks.noop.enqueue()
        with self.assertRaises(TaskResultMismatch):
            tasks.answer.get_result(result.id)

    def test_signals(self) -> None:
        seen: list[tuple[str, str]] = []

        def note(sender: Any, task_result: Any, signal: Any, **_: Any) -> None:
            assert sender is OrpheusBackend
            seen.append((task_result.id, str(task_result.status)))

        for signal in (compat.task_enqueued, compat.task_started, compat.task_finished):
            signal.connect(note)
            self.addCleanup(signal.disconnect, note)
        for a_task in (tasks.noop, tasks.answer, tasks.fail, tasks.afail):
            seen.clear()
            result = a_task.enqueue()
            self.run_jobs()
            end = "FAILED" if "fail" in a_task.name else "SUCCESSFUL"
            self.assertEqual(
                seen[:3], [(result.id, status) for status in ("READY", "RUNNING", end)]
            )


def unknown_to_workers() -> None:
    """Not in the module `tasks`."""


class RunTest(OnHarness):
    def test_tasks_succeed(self) -> None:
        for a_task, value in ((tasks.noop, None), (tasks.answer, 42)):
            result = self.run_to_end(a_task.enqueue())
            self.assertEqual((result.status, result.return_value), ("SUCCESSFUL", value))
            self.assertEqual((result.attempts, result.worker_ids), (1, ["test-1"]))
            self.assertEqual(result.errors, [])
            self.assertLessEqual(result.started_at, result.finished_at)
            self.assertEqual(result.last_attempted_at, result.started_at)

    def test_only_failures_are_logged_as_orpheus_logs_starts_and_ends(self) -> None:
        self.assertEqual(logging.getLogger(compat.LOGGER).level, logging.WARNING)

    def test_the_context(self) -> None:
        result = self.run_to_end(tasks.look.enqueue())
        self.assertEqual(result.return_value, {"id": result.id, "attempt": 1})
        self.assertEqual(self.harness.get(int(result.id)).message, "half")

    def test_a_task_that_fails_is_retried_and_keeps_each_error(self) -> None:
        for a_task, error in (
            (tasks.fail, tasks.OutOfStock),
            (tasks.afail, ValueError),
            (tasks.leave, SystemExit),
        ):
            result = a_task.enqueue()
            self.harness.advance("500ms")
            result.refresh()
            self.assertEqual((result.status, result.attempts), ("READY", 1))
            self.harness.advance("1h")
            result.refresh()
            self.assertEqual((result.status, result.attempts), ("FAILED", 4))
            self.assertEqual([one.exception_class for one in result.errors], [error] * 4)
            self.assertIn("tasks.py", result.errors[0].traceback)
            with self.assertRaisesMessage(ValueError, "Task failed"):
                _ = result.return_value

    def test_a_cancelled_task_has_failed(self) -> None:
        result = tasks.noop.enqueue()
        with Client(config=self.harness.config) as client:
            client.cancel(int(result.id))
        result.refresh()
        self.assertEqual((result.status, result.attempts), ("FAILED", 0))
        self.assertEqual(result.errors[0].exception_class.__name__, "JobCancelled")

    def test_an_error_without_a_traceback(self) -> None:
        error = backend._task_error(JobError("WorkerCrashed", "it died"))
        self.assertIs(error.exception_class, RuntimeError)
        self.assertEqual(error.traceback, "WorkerCrashed: it died\n")


class OptionsTest(OnHarness):
    options: ClassVar = {"MAX_RETRIES": 0, "TIMEOUT": "7s"}

    def test_options_are_those_of_the_job_types(self) -> None:
        from orpheus.django import jobs

        jobs._register()
        self.run_jobs()  # describes them
        job = self.harness.get(int(tasks.fail.enqueue().id))
        self.assertEqual((job.max_retries, job.timeout), (0, 7))
        self.run_jobs()
        self.assertEqual(tasks.fail.get_result(str(job.id)).status, "FAILED")
        with override_settings(TASKS=tasks_setting(self.harness.config)):
            jobs._register()  # for the other tests

    def test_options_of_a_task(self) -> None:
        try:
            patient = task(max_retries=9, timeout="1h")(unknown_to_workers)
        except TypeError as error:
            raise SkipTest("the decorator of Django 6.0 takes no other options") from error
        self.assertEqual((patient.max_retries, patient.timeout), (9, "1h"))
        self.assertEqual(patient.using(priority=1).max_retries, 9)

    def test_an_unknown_option_is_refused(self) -> None:
        with self.assertRaisesMessage(compat.InvalidTaskBackend, "OPTIONS has no RETRIES"):
            OrpheusBackend("default", {"OPTIONS": {"RETRIES": 1}})


class MissingFileTest(SimpleTestCase):
    def test_a_configuration_that_is_missing_is_a_plain_error(self) -> None:
        setting = override_settings(TASKS=tasks_setting("none.toml"))
        with setting, self.assertRaisesMessage(ConfigurationError, "none.toml"):
            tasks.noop.enqueue()


class ConnectionsTest(OnHarness, TransactionTestCase):
    available_apps: ClassVar = ["django.contrib.auth", "django.contrib.contenttypes"]

    def test_a_task_leaves_no_old_connection(self) -> None:
        for _ in range(2):  # CONN_MAX_AGE is 0: each connection is too old after its attempt
            result = self.run_to_end(tasks.count_users.enqueue())
            self.assertEqual((result.status, result.errors), ("SUCCESSFUL", []))
        self.assertIsNone(connection.connection)


class TransactionTest(OnHarness, TransactionTestCase):
    available_apps: ClassVar = ["orpheus.django"]
    options: ClassVar = {"DATABASE": "default"}

    def setUp(self) -> None:
        if connection.vendor != "sqlite":
            raise SkipTest("SQLite's outbox")
        super().setUp()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM orpheus_outbox")

    def rows(self) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT type, payload, queue, priority, tags FROM orpheus_outbox")
            return list(cursor.fetchall())

    def test_a_task_is_a_row_if_its_transaction_commits(self) -> None:
        with transaction.atomic():
            undone = tasks.greet.enqueue("nobody")
            transaction.set_rollback(True)
        with self.assertRaises(compat.TaskResultDoesNotExist):
            tasks.greet.get_result(undone.id)
        with transaction.atomic():
            result = tasks.greet.enqueue("Ada")
        [(path, payload, queue, priority, tags)] = self.rows()
        self.assertEqual((path, queue, priority), ("checked.tasks.greet", "mail", 5))
        self.assertIn(result.id, payload)
        self.assertEqual(tags, f'["{result.id}"]')
        found = tasks.greet.get_result(result.id)
        self.assertEqual((found.id, found.status, found.args), (result.id, "READY", ["Ada"]))

    def test_an_outbox_that_orpheus_does_not_read_is_told_with_the_lines_to_add(self) -> None:
        with patch.dict(os.environ), patch("os.execv"), patch("sys.stderr") as stderr:
            Command().run_from_argv(["manage.py", "orpheus", "dev"])
        [warning] = check_outboxes()
        self.assertIn(check_outboxes, registry.get_checks())
        stderr.write.assert_called_once_with(f"orpheus: warning: {warning.msg}\n")
        lines = warning.msg.partition("Add:\n\n")[2]
        file = connection.settings_dict["NAME"]
        self.assertEqual(lines, f'[[outboxes]]\nname = "default"\nurl = "sqlite:///{file}"\n')
        with self.harness.config.open("a") as config:
            config.write(lines)
        self.assertEqual(list(check_outboxes()), [])

    def test_a_refused_row_has_failed(self) -> None:
        result = tasks.greet.enqueue("Ada")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orpheus_outbox SET refused_at = 'now', refused_reason = 'why'")
        result.refresh()
        self.assertEqual((result.status, result.errors[0].traceback), ("FAILED", "Refused: why\n"))

    def test_the_job_of_a_row_has_the_id_of_the_task(self) -> None:
        result = tasks.look.enqueue()
        [(path, payload, *_, tags)] = self.rows()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM orpheus_outbox")
        import json

        self.harness.submit(path, json.loads(payload), tags=json.loads(tags))
        self.run_to_end(result)
        self.assertEqual(result.return_value, {"id": result.id, "attempt": 1})


class AdminTest(OnHarness, TestCase):
    options: ClassVar = {"DASHBOARD": "http://127.0.0.1:8001/"}
    page = "/admin/orpheus/job/"

    def log_in(self, **fields: Any) -> User:
        user = User.objects.create(username="ada", is_staff=True, **fields)
        self.client.force_login(user)
        return user

    def test_it_lists_the_jobs_with_links_to_the_dashboard(self) -> None:
        self.log_in(is_superuser=True)
        tasks.noop.enqueue()
        tasks.fail.enqueue()
        self.run_jobs()
        self.assertContains(self.client.get("/admin/"), self.page)
        page = self.client.get(self.page)
        self.assertContains(page, 'href="http://127.0.0.1:8001/ui/jobs/1"')
        self.assertContains(page, "OutOfStock: no tea")
        done = self.client.get(f"{self.page}?status=done")
        self.assertContains(done, "checked.tasks.noop")
        self.assertNotContains(done, "checked.tasks.fail")
        found = self.client.get(f"{self.page}?q=no+tea&status=")
        self.assertContains(found, "checked.tasks.fail")
        self.assertNotContains(found, "checked.tasks.noop")
        self.assertContains(found, '"?status=done&amp;q=no%20tea"')
        self.assertContains(self.client.get(f"{self.page}?status=odd"), "errornote")
        self.assertEqual(self.client.get(f"{self.page}add/").status_code, 404)

    def test_it_takes_the_permission_to_view(self) -> None:
        user = self.log_in()
        self.assertEqual(self.client.get(self.page).status_code, 403)
        user.user_permissions.add(Permission.objects.get(codename="view_job"))
        self.assertEqual(self.client.get(self.page).status_code, 200)

    def test_a_database_that_is_missing_is_told(self) -> None:
        self.log_in(is_superuser=True)
        file = self.harness.config.with_name("other.toml")
        file.write_text(f'[database]\nurl = "sqlite:///{file.parent}/none.db"\n')
        with override_settings(TASKS=tasks_setting(file)):
            self.addCleanup(default_task_backend.client.close)
            with self.assertRaises(DatabaseUnusable):
                tasks.noop.enqueue()
            self.assertContains(self.client.get(self.page), "there is no database")


class PostgreSQLTest(TransactionTestCase):
    """Orpheus has its tables in the database of the site, and a worker runs."""

    available_apps: ClassVar = ["django.contrib.auth", "django.contrib.contenttypes"]

    def test_a_task_is_a_job_if_its_transaction_commits(self) -> None:
        if connection.vendor != "postgresql":
            raise SkipTest("PostgreSQL")
        with override_settings(TASKS=tasks_setting(os.environ["CONFIG"], DATABASE="default")):
            self.addCleanup(default_task_backend.client.close)
            with transaction.atomic():
                undone = tasks.count_users.enqueue()
                transaction.set_rollback(True)
            with transaction.atomic():
                User.objects.create(username="ada")
                result = tasks.count_users.enqueue()
                with self.assertRaises(compat.TaskResultDoesNotExist):
                    default_task_backend.get_result(result.id)
            give_up_at = time.monotonic() + 60
            while not result.is_finished and time.monotonic() < give_up_at:
                time.sleep(0.05)
                result.refresh()
            self.assertEqual((result.status, result.errors), ("SUCCESSFUL", []))
            self.assertEqual(result.return_value, 1)
            with self.assertRaises(compat.TaskResultDoesNotExist):
                default_task_backend.get_result(undone.id)
