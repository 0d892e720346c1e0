"""A person reads a sentence with an example, never a pattern or the name of a type in Python."""

from typing import Annotated, Any

import pytest
from pydantic import Field, Strict, TypeAdapter, ValidationError

from orpheus.shared.sentences import sentence


@pytest.mark.parametrize(
    ("of", "value", "said"),
    [
        (Annotated[int, Strict()], "4", "must be a whole number without quotes, such as 4"),
        (Annotated[bool, Strict()], 1, "must be true or false, without quotes"),
        (str, 5, 'must be text in quotes, such as "text"'),
        (list[int], "x", 'must be a list, such as ["a", "b"]'),
        (Annotated[int, Field(ge=1)], 0, "must be at least 1"),
        (Annotated[float, Field(gt=0)], 0, "must be more than 0"),
        (Annotated[int, Field(le=65_535)], 65_536, "must be at most 65535"),
        (Annotated[float, Field(lt=0.5)], 0.5, "must be less than 0.5"),
        (Annotated[str, Field(min_length=1)], "", "must not be empty"),
    ],
)
def test_what_is_wrong_is_said_in_words(of: Any, value: Any, said: str) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(of).validate_python(value)
    assert sentence(error.value.errors()[0]).startswith(said)
