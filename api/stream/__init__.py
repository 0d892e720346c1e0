"""The event stream: read once, kept in a ring, sent over WebSocket and server-sent events."""
