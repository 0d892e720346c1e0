"""shared/imports.py: what stands in for a module, and what is imported without garbage."""

import gc
import sys

import pytest

from orpheus.shared.imports import Later, standing_in, without_garbage


def test_a_module_that_stands_in_is_there_only_meanwhile() -> None:
    with standing_in({"module_of_this_test": Later("json")}):
        import module_of_this_test  # type: ignore[import-not-found]
    assert "module_of_this_test" not in sys.modules
    assert module_of_this_test.dumps([1]) == "[1]"


def test_a_module_that_is_used_while_another_stands_in_for_it_is_imported_and_stays() -> None:
    sys.modules.pop("colorsys", None)
    with standing_in({"colorsys": Later("colorsys")}):
        import colorsys as stand_in

        assert stand_in.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
        import colorsys
    assert sys.modules["colorsys"] is colorsys is not stand_in
    assert stand_in.ONE_THIRD == colorsys.ONE_THIRD


def test_a_part_of_a_package_is_imported_while_another_stands_in_for_the_package() -> None:
    for name in ("wsgiref", "wsgiref.headers"):
        sys.modules.pop(name, None)
    with standing_in({"wsgiref": Later("wsgiref")}):
        from wsgiref.headers import Headers
    assert Headers([("a", "b")])["a"] == "b"
    assert sys.modules["wsgiref"].__spec__ is not None


def test_a_hidden_module_is_not_found() -> None:
    sys.modules.pop("colorsys", None)
    with standing_in({"colorsys": None}), pytest.raises(ImportError):
        import colorsys
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_a_module_that_is_imported_stays() -> None:
    before = sys.modules["json"]
    with standing_in({"json": None}):
        assert sys.modules["json"] is before
    assert sys.modules["json"] is before


def test_garbage_is_looked_for_again_afterwards_but_not_in_what_was_imported() -> None:
    try:
        with without_garbage():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
