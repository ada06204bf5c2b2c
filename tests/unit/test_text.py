import json
import random
import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fimble.source.languages import PLAIN
from fimble.source.positions import Encoding, offset_at, position_at
from fimble.source.text import Snapshot, line_starts

# What has ever broken a position: each entry is put into texts as a whole, so that CRLF occurs as
# often as lone CR, and edits then tear it apart.
SOUP = (
    *("a", "b", "_", " ", "\t", "0", "(", "\0"),
    *("\n", "\r", "\r\n", "\n\r"),
    *("\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"),
    *("é", "e\u0301", "ß", "—", "漢字", "\ufeff", "\ufffd", "\u200d"),
    *("😀", "👩\u200d👩\u200d👧", "🇩🇪", "\U0001d4b3", "\U0010ffff"),
)
soups = st.lists(st.sampled_from(SOUP), max_size=40).map("".join)


def open_text(text: str) -> Snapshot:
    return Snapshot.open("file:///soup", 1, PLAIN, text)


def naive_starts(text: str) -> tuple[int, ...]:
    """Line starts by the letter of the protocol, one character at a time."""
    starts = [0]
    for i, char in enumerate(text):
        if char == "\n" or (char == "\r" and text[i + 1 : i + 2] != "\n"):
            starts.append(i + 1)
    return tuple(starts)


class NaiveClient:
    """An editor that keeps its text as an array of code units and lines as it finds them."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        self.encoding = encoding
        self.units = self._units(text)

    def _units(self, text: str) -> list[str]:
        """One entry per code unit: the character at its first unit, "" at the others."""
        size = {Encoding.UTF8: _utf8_size, Encoding.UTF16: _utf16_size}.get(self.encoding)
        return [unit for char in text for unit in (char, *[""] * (size(char) - 1 if size else 0))]

    @property
    def text(self) -> str:
        return "".join(self.units)

    def positions(self) -> list[tuple[int, int, int]]:
        """(unit index, line, character) of every place a cursor can be."""
        places, line, start = [(0, 0, 0)], 0, 0
        for i, unit in enumerate(self.units, start=1):
            if unit == "\n" or (unit == "\r" and self.units[i : i + 1] != ["\n"]):
                line, start = line + 1, i
            inside = i < len(self.units) and (
                self.units[i] == "" or (unit == "\r" and self.units[i] == "\n")
            )
            if not inside:
                places.append((i, line, i - start))
        return places

    def replace(self, start: int, end: int, text: str) -> None:
        self.units[start:end] = self._units(text)


def _utf8_size(char: str) -> int:
    return len(char.encode())


def _utf16_size(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1


def random_soup(rng: random.Random, longest: int) -> str:
    return "".join(rng.choices(SOUP, k=rng.randrange(longest)))


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("seed", range(5))
def test_follows_a_client_through_random_edits(encoding, seed):
    rng = random.Random(f"{encoding} {seed}")
    client = NaiveClient(random_soup(rng, 120), encoding)
    snapshot = open_text(client.text)
    longest = 0
    for version in range(2, 302):
        places = client.positions()
        first, last = sorted(rng.choices(places, k=2))
        if rng.random() < 0.98:
            last = rng.choice(places[places.index(first) :][:4])
        new_text = random_soup(rng, 6)
        start = offset_at(snapshot, *first[1:], encoding)
        end = offset_at(snapshot, *last[1:], encoding)
        client.replace(first[0], last[0], new_text)
        snapshot = snapshot.splice(start, end, new_text, version)
        assert snapshot.text == client.text
        assert snapshot.line_starts == naive_starts(client.text)
        assert snapshot.version == version
        longest = max(longest, snapshot.line_count)
    assert longest > 10


@given(soups, st.integers(0, 60), st.integers(0, 60), soups)
@settings(max_examples=400, deadline=None)
def test_line_starts_after_any_edit_equal_a_fresh_computation(text, a, b, new_text):
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    before = open_text(text)
    after = before.edit(start, end, new_text, 2)
    assert after.text == text[:start] + new_text + text[end:]
    assert after.line_starts == line_starts(after.text) == naive_starts(after.text)
    assert before.text == text
    assert before.line_starts == naive_starts(text)


@given(soups)
@settings(max_examples=300, deadline=None)
def test_lines_and_their_terminators_make_up_the_text(text):
    snapshot = open_text(text)
    lines = re.split(r"\r\n|\n|\r", text)
    assert [snapshot.line_text(i) for i in range(snapshot.line_count)] == lines
    for line, start in enumerate(snapshot.line_starts):
        assert snapshot.line_of(start) == line
        assert snapshot.line_of(snapshot.line_range(line)[1]) == line


@pytest.mark.parametrize(
    ("text", "edit", "starts"),
    [
        ("a\r\nb", (1, 2, ""), (0, 2)),  # the CR goes, the LF stays
        ("a\r\nb", (2, 3, ""), (0, 2)),  # the LF goes, the CR stays
        ("a\r\nb", (2, 2, "x"), (0, 2, 4)),  # one terminator becomes two
        ("a\rx\nb", (2, 3, ""), (0, 3)),  # two become one
        ("a\r", (2, 2, "\n"), (0, 3)),
        ("\nb", (0, 0, "\r"), (0, 2)),
        ("a\nb\nc", (0, 5, ""), (0,)),
        ("", (0, 0, "\r\n\r"), (0, 2, 3)),
    ],
)
def test_terminators_are_joined_and_torn_apart(text, edit, starts):
    assert open_text(text).edit(*edit, 2).line_starts == starts


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("", "\n"),
        ("one line", "\n"),
        ("a\nb\n", "\n"),
        ("a\r\nb\r\nc\n", "\r\n"),
        ("a\rb\rc\n", "\r"),
        ("a\r\nb\n", "\n"),
        ("a\x0bb\x85\u2028\r\n", "\r\n"),
    ],
)
def test_newline_is_the_dominant_terminator(text, newline):
    assert open_text(text).newline == newline


def test_lone_surrogates_become_replacement_characters_of_the_same_size():
    half = json.loads('"\\ud83d"')
    snapshot = open_text(f"a{half}b").edit(3, 3, half, 2)
    assert snapshot.text == "a\ufffdb\ufffd"
    assert snapshot.text.encode()
    for encoding, character in ((Encoding.UTF16, 2), (Encoding.UTF8, 4), (Encoding.UTF32, 2)):
        assert position_at(snapshot, 2, encoding) == (0, character)


def test_a_snapshot_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        open_text("a").text = "b"
