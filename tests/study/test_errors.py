"""Hints and explanations: one line per mistake."""

import pytest
from pydantic import BaseModel

from entropy_sums.study.errors import MOST_SHOWN, StudyError, explained, nearest


def test_a_hint_at_thousands_of_names_stays_readable():
    hint = nearest("zzz", (f"job{i}" for i in range(10_000)))
    assert hint.count("job") == MOST_SHOWN
    assert hint.endswith(", …")
    assert nearest("zzz", ["a", "b"]) == "known are: a, b"


class Inner(BaseModel):
    width: int | str


class Outer(BaseModel):
    parts: list[Inner]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"parts": [{"width": []}]}, "f: parts.0.width: Input should be a valid integer or a valid string (got [])"),
        ({"parts": [{"width": 1}, {}]}, "f: parts.1.width: is missing; add it"),
        ({}, "f: parts: is missing; add it"),
        ({"parts": [{}], "other": 1}, "f: parts.0.width: is missing; add it"),
    ],
)
def test_one_line_per_key_without_names_of_union_members(content, message):
    with pytest.raises(StudyError) as caught, explained("f", content, Outer):
        Outer.model_validate(content)
    assert str(caught.value) == message
