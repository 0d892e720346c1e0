"""Open files and freed memory of this process."""

import os
import resource

import pytest

from orpheus.shared.process.limits import allow_open_files, high_copy


@pytest.mark.parametrize(
    ("limits", "allowed", "after"),
    [
        ((1024, 4096), 2000, (2000, 4096)),
        ((1024, 1500), 1500, (1500, 1500)),
        ((3000, 4096), 2000, (3000, 4096)),
        ((1024, resource.RLIM_INFINITY), 2000, (2000, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY,) * 2, 2000, (resource.RLIM_INFINITY,) * 2),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed_and_allowed(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], allowed: int, after: tuple[int, int]
) -> None:
    now = [limits]
    monkeypatch.setattr(resource, "getrlimit", lambda _: now[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: now.append(wanted))
    assert allow_open_files(2000) == allowed
    assert now[-1] == after


@pytest.mark.parametrize(("soft", "at_least"), [(4096, 500), (500, 375), (64, 48)])
def test_a_high_copy_has_a_number_that_the_limit_allows(
    monkeypatch: pytest.MonkeyPatch, soft: int, at_least: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    copy = high_copy(0)
    os.close(copy)
    assert at_least <= copy < max(soft, 501)
