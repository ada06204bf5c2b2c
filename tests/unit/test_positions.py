import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_text import NaiveClient, open_text, soups

from fimble.source.positions import Encoding, offset_at, position_at

UTF8, UTF16, UTF32 = Encoding


@given(soups, st.sampled_from(Encoding))
@settings(max_examples=400, deadline=None)
def test_positions_round_trip_and_agree_with_a_naive_count(text, encoding):
    snapshot = open_text(text)
    client = NaiveClient(text, encoding)
    for unit, line, character in client.positions():
        offset = len("".join(client.units[:unit]))
        assert position_at(snapshot, offset, encoding) == (line, character)
        assert offset_at(snapshot, line, character, encoding) == offset


@pytest.mark.parametrize(
    ("text", "encoding", "position", "offset"),
    [
        ("abc", UTF16, (0, 2), 2),
        ("a😀b", UTF16, (0, 3), 2),
        ("a😀b", UTF8, (0, 5), 2),
        ("a😀b", UTF32, (0, 2), 2),
        ("e\u0301x", UTF8, (0, 3), 2),  # a combining mark is a character of its own
        ("\ufeffx", UTF8, (0, 3), 1),  # a byte order mark too
        ("\ufeffx", UTF16, (0, 1), 1),
        ("\tx", UTF16, (0, 1), 1),  # a tab is one unit, whatever its width
        ("a\x0b\x0c\x85\u2028b", UTF16, (0, 5), 5),  # none of these ends a line
        ("a\rb\r\nc\nd", UTF16, (3, 1), 8),
        ("é\r\n漢😀x", UTF8, (1, 7), 5),
    ],
)
def test_positions(text, encoding, position, offset):
    snapshot = open_text(text)
    assert offset_at(snapshot, *position, encoding) == offset
    assert position_at(snapshot, offset, encoding) == position


@pytest.mark.parametrize(
    ("text", "encoding", "position", "offset"),
    [
        ("ab\ncd", UTF16, (0, 99), 2),  # behind the line's end
        ("ab\r\ncd", UTF16, (0, 3), 2),  # between CR and LF
        ("a😀\r\nb", UTF16, (0, 99), 2),
        ("a😀\r\nb", UTF8, (0, 99), 2),
        ("ab\ncd", UTF16, (2, 0), 5),  # behind the last line
        ("ab\n", UTF16, (1, 5), 3),
        ("", UTF8, (7, 7), 0),
        ("😀", UTF16, (0, 1), 0),  # inside a surrogate pair
        ("x😀y", UTF8, (0, 4), 1),  # inside a character of four bytes
        ("é", UTF8, (0, 1), 0),
    ],
)
def test_impossible_positions_are_moved_to_possible_ones(text, encoding, position, offset):
    assert offset_at(open_text(text), *position, encoding) == offset


def test_offsets_outside_the_text_or_a_line_are_moved_into_it():
    snapshot = open_text("ab\r\ncd")
    assert position_at(snapshot, -3, UTF16) == (0, 0)
    assert position_at(snapshot, 3, UTF16) == (0, 2)
    assert position_at(snapshot, 99, UTF16) == (1, 2)


def test_encodings_have_the_names_of_the_protocol():
    assert [str(encoding) for encoding in Encoding] == ["utf-8", "utf-16", "utf-32"]
