"""Whole texts become small changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fimble.protocol.documents import difference


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", (0, 0, "")),
        ("abc", "abc", (3, 3, "")),
        ("abc", "abXc", (2, 2, "X")),
        ("abc", "", (0, 3, "")),
        ("", "abc", (0, 0, "abc")),
        ("aaa", "aa", (2, 3, "")),
        ("aa", "aaa", (2, 2, "a")),
        ("abcd", "aXYd", (1, 3, "XY")),
        ("abc", "xyz", (0, 3, "xyz")),
    ],
)
def test_the_difference_is_as_small_as_one_replacement_can_be(old, new, expected):
    assert difference(old, new) == expected


@given(st.text("ab\n"), st.text("ab\n"))
def test_the_difference_makes_the_new_text_of_the_old(old, new):
    start, end, text = difference(old, new)
    assert old[:start] + text + old[end:] == new
