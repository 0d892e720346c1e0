"""Lets a failed assertion of the inherited tests show its values."""

import pytest

pytest.register_assert_rewrite("tests.integration.supervisor.outbox.draining")
