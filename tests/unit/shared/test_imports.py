"""shared/imports.py: what is imported without garbage."""

import gc

from orpheus.shared.imports import without_garbage


def test_garbage_is_looked_for_again_afterwards_but_not_in_what_was_imported() -> None:
    try:
        with without_garbage():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
