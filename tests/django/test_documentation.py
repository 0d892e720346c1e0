"""The first five minutes of docs/django.md, typed by a test, with all processes."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "django.md").read_text(encoding="utf-8")
START, TESTS = PAGE.split("\n## ")[1], PAGE.partition("\n## In tests")[2]
HAS_TASKS = django.VERSION >= (6,)
AT_ONCE = """

class ImmediateTest(TestCase):
    def test_it_ran_in_enqueue(self):
        self.assertEqual(greet.enqueue("Ada").status, "FAILED")
"""


def blocks(section: str) -> list[str]:
    return re.findall(r"^```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def test_the_first_five_minutes(tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    make, settings, toml, tasks, start, shell = blocks(START)
    _pip, *commands = [line.split() for line in make.splitlines()]
    [migrate, orpheus_dev] = [line.split() for line in start.splitlines()]

    def run(command: list[str], text: str = "") -> str:
        if command[0] == "django-admin":
            command = ["python", "-m", "django", *command[1:]]
        return subprocess.run(
            [sys.executable, *command[1:]],
            cwd=tmp_path,
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    for command in commands:
        run(command)
    with (tmp_path / "mysite" / "settings.py").open("a") as file:
        file.write(settings)
    (tmp_path / "orpheus.toml").write_text(toml.replace("8001", "0"))
    code = tasks if HAS_TASKS else tasks.replace("from django.tasks", "from django_tasks")
    (tmp_path / "shop" / "tasks.py").write_text(code)
    run(migrate)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *orpheus_dev[1:]], cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: "Orpheus is running" in (tmp_path / "log").read_text(), "Orpheus")
        head, refresh, end = re.split(r"^(result\.refresh\(\).*\n)", shell, flags=re.MULTILINE)
        until = "import time\nwhile not result.is_finished:\n    time.sleep(0.1)\n    "
        printed = run(["", "manage.py", "shell", "-v0"], head + until + refresh + "\n" + end)
        assert printed.strip() in START
        assert (tmp_path / "log").read_text().count("Traceback") == 1, "the error stands once"
        (tmp_path / "shop" / "tasks.py").write_text(code.replace("Hello", "Good day"))
        again = f"{head}\n{until}{refresh}\nprint(result.return_value)\n"

        def greeting() -> bool:
            return "Good day, Ada!" in run(["", "manage.py", "shell", "-v0"], again)

        wait_for(greeting, "the new code")
    finally:
        process.terminate()
        process.wait(60)
    in_tests, shop_tests = blocks(TESTS)
    with (tmp_path / "mysite" / "settings.py").open("a") as file:
        file.write(in_tests if HAS_TASKS else in_tests.replace('"django.', '"django_'))
    (tmp_path / "shop" / "tasks.py").write_text(code)
    (tmp_path / "shop" / "tests.py").write_text(shop_tests + AT_ONCE)
    run(["", "manage.py", "test"])
