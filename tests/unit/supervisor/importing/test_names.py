"""Names of entries."""

import pytest

from orpheus.shared.domain.limits import NAME
from orpheus.supervisor.importing.names import UniqueNames, as_name, name_of


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/opt/backup.sh", "backup"),
        ("/usr/bin/python3.11 manage.py clearsessions --all", "manage-clearsessions"),
        ("php /srv/artisan schedule:run", "artisan-schedule-run"),
        ("bundle exec rake db:vacuum", "rake-db-vacuum"),
        ("sudo -u shop nice /srv/job", "shop-job"),
        ("find /srv/mail -delete", "find-mail"),
        ("env A=1 report 5", "report"),
        ("python", "python"),
        ("--", "job"),
        ("", "job"),
    ],
)
def test_a_command_is_called_after_what_it_runs(line: str, name: str) -> None:
    assert name_of(line.split()) == name


@pytest.mark.parametrize("text", ["a b", "ü", "", "-x-", "a" * 99, "..", "web:1", "%(x)s"])
def test_any_text_becomes_a_valid_name(text: str) -> None:
    assert NAME.fullmatch(as_name(text))


def test_a_name_in_use_gets_a_number_and_stays_valid() -> None:
    names = UniqueNames("web", "web-2")
    assert [names.unique("web") for _ in range(3)] == ["web-3", "web-4", "web-5"]
    long = "a" * 64
    assert names.unique(long) == long
    assert names.unique(long) == "a" * 62 + "-2"
