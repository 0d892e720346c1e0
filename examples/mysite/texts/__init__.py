"""An app: visitors send texts, a task counts their words."""
