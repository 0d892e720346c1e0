"""The applications of docs/frameworks.md run as they are written, beside a real worker."""

import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from orpheus import Client
from tests.clients.test_documentation import ROOT, has_types, project
from tests.machine import PATIENCE_S, wait_until

__all__ = ["project"]  # the fixture

PAGE = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")
SNIPPETS = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = dict(re.findall(r"```sh (\w+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS["flask"] = "flask --app app run"  # its own server in place of gunicorn


@pytest.mark.parametrize("project", [SNIPPETS["jobs"]], indirect=True, ids=["jobs"])
@pytest.mark.parametrize("framework", ["fastapi", "starlette", "flask"])
def test_an_application_streams_a_job_to_its_end_and_stops_soon(
    project: Path, framework: str
) -> None:
    (project / "sent.py").write_text(SNIPPETS["sent"])
    (project / "app.py").write_text(SNIPPETS[framework])
    wait_until(lambda: has_types(f"sqlite:///{project}/data/orpheus.db"), "the worker")
    log = project / "server.log"
    with log.open("w") as output:
        command = [sys.executable, "-m", *COMMANDS[framework].split(), "--port", "0"]
        server = subprocess.Popen(command, cwd=project, stdout=output, stderr=output)
    try:
        at = wait_until(lambda: re.search(r"unning on (http://[\d.:]+)", log.read_text()), "it")
        with httpx2.Client(base_url=at[1], timeout=PATIENCE_S, trust_env=False) as browser:
            job = browser.post("/thumbnails?path=/shop/a.png").json()["job"]
            sent = browser.get(f"/thumbnails/{job}/stream").text
            names = re.findall(r"^event: (\w+)$", sent, re.MULTILINE)
            assert (names[0], names[-1], names.count("LogLine")) == ("Event", "end", 4)
            assert "Progress" in names
            assert sent.endswith("event: end\ndata: {}\n\n")  # without data, browsers ignore it
            assert browser.get("/thumbnails/99/stream").status_code == 404
            with Client() as client:
                later = client.submit("resize", {"path": "/shop/b.png"}, delay="1h")
            with browser.stream("GET", f"/thumbnails/{later.id}/stream") as stream:
                lines = stream.iter_lines()  # while it exists, the stream is open
                assert next(lines) == "event: Event"
                server.terminate()
                server.wait(PATIENCE_S)
        is_closed = "Application shutdown complete" in log.read_text()
        assert is_closed or framework == "flask", log.read_text()
    finally:
        server.kill()
        server.wait(PATIENCE_S)
