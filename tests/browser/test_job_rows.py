"""What a row of a list of jobs says."""

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import row, wait_submitted

PREVIEWS = [
    ('{"path":"a.png","width":640}', "path=a.png width=640"),
    ('{"a":1,"b":{"c":[1,"x,y"],"d":"}"},"e":"long', 'a=1 b={"c":[1,"x,y"],"d":"}"} e="long…'),
    ('{"a":1,"b":{"c":[1,2', 'a=1 b={"c":[1,2…'),
    ('{"a":"all of \\"it\\", is cut', 'a="all of \\"it\\", is cut…'),
    ('{"a":1,"b', "a=1 …"),
    ('{"a":12345678901234567890,"b":1', "a=12345678901234567890 b=1…"),
    ("[1,2,[3", "[1,2,[3"),
    (None, ""),
]


def test_a_blocked_job_says_after_which_jobs_it_runs(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    first = [wait_submitted(system, held, "before") for _ in range(5)]
    by_number = {}
    for number in (1, 2, 5):
        by_number[number] = system.submit("sum_range", {"n": 7}, depends_on=first[:number])
    page = lasting_dashboard.open("/ui/jobs?status=blocked")
    a, b, c = first[:3]
    for number, words in (
        (1, f"after job {a} · n=7"),
        (2, f"after jobs {a} and {b} · n=7"),
        (5, f"after jobs {a}, {b}, {c} and 2 more · n=7"),
    ):
        expect(row(page, by_number[number]).locator(".detail .text")).to_have_text(words)
