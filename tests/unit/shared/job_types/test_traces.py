"""Which `traceparent` is taken, and in which form it is kept."""

import pytest

from orpheus.shared.domain.traces import valid_traceparent
from orpheus.shared.job_types.context import current_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (GOOD, GOOD),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"01-{TRACE}-{SPAN}-01", GOOD),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", GOOD),
    ],
)
def test_a_valid_one_is_kept_in_the_form_of_version_00(given: str, kept: str) -> None:
    assert valid_traceparent(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        GOOD.upper(),
        f" {GOOD}",
        f"{GOOD}-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        "٠٠-" + GOOD[3:],
    ],
)
def test_any_other_is_ignored(given: str | None) -> None:
    assert valid_traceparent(given) is None


def test_the_current_span_of_opentelemetry_is_a_valid_one() -> None:
    trace = pytest.importorskip("opentelemetry.trace", reason="opentelemetry is not installed")
    assert current_traceparent() is None
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False, trace_flags=flags)
    with trace.use_span(trace.NonRecordingSpan(context)):
        assert current_traceparent() == GOOD == valid_traceparent(GOOD)
