"""The trace that this program is in now, where the application uses OpenTelemetry."""

import sys


def current_traceparent() -> str | None:
    """Return the current span of OpenTelemetry as a `traceparent`; None if there is none.

    It imports nothing: in a program that has not imported OpenTelemetry there is no span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags) & 0xFF:02x}"
