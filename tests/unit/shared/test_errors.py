"""What a program exits with that an error ends."""

import pytest

from orpheus.shared import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CannotBind("x"), 69),
        (errors.DatabaseUnusable("x"), 74),
        (errors.DatabaseAway("x"), 74),
        (errors.AlreadyRunning("x"), 75),
        (errors.ConfigurationError("x"), 78),
        (errors.DatabaseBusy("x"), 1),
        (errors.NotFound("x"), 1),
        (errors.TransitionRefused("x"), 1),
        (errors.InvalidJob("x"), 1),
    ],
)
def test_an_error_has_the_exit_code_of_the_contract(error: errors.OrpheusError, code: int) -> None:
    assert error.exit_code == code
