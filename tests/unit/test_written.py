"""What was written before answers who types the beginning of it, shown or not."""

import pytest

from fimble.check.stop import Mode
from fimble.engine.base import Trace
from fimble.engine.messages import Piece
from fimble.features.written import Draft, expected, note, remaining
from fimble.source.text import Snapshot
from goldens import LANGUAGES

PIECES = ("to", "tal", "(a", ")")


def snapshot_of(marked):
    offset = marked.index("█")
    text = marked.replace("█", "")
    return Snapshot.open("file:///a.py", 1, LANGUAGES.get("python"), text), offset


def written_at(marked, *, cut_short=False):
    pieces = tuple(Piece(1, text, -0.1 * index, 1.0, 0.0) for index, text in enumerate(PIECES))
    return note(*snapshot_of(marked), Mode.LINE, Draft(pieces, cut_short, "stop", Trace(9, 9)))


@pytest.mark.parametrize(
    ("asked", "now", "left"),
    [
        ("x = █\ny\n", "x = █\ny\n", ["to", "tal", "(a", ")"]),
        ("x = █\ny\n", "x = t█\ny\n", ["o", "tal", "(a", ")"]),
        ("x = █\ny\n", "x = to█\ny\n", ["", "tal", "(a", ")"]),
        ("x = █\ny\n", "x = tot█\ny\n", ["al", "(a", ")"]),
        ("x = █\ny\n", "x = total(█)\ny\n", ["a", ")"]),
        ("x = █)\n", "x = total(█))\n", ["a", ")"]),
        ("x = █\ny\n", "x = total(a)█\ny\n", None),
        ("x = █\ny\n", "x = ta█\ny\n", None),
        ("x = █\ny\n", "x = to█\nz\n", None),
        ("x = █\n", "x = to█\nz\n", None),
        ("x = █\ny\n", "z = to█\ny\n", None),
        ("x = █\ny\n", "x █= \ny\n", None),
    ],
)
def test_what_is_left(asked, now, left):
    draft = remaining(*snapshot_of(now), written_at(asked))
    assert (draft and [piece.text for piece in draft.pieces]) == left
    assert draft is None or (draft.trace, draft.pieces[-1].logprob) == (Trace(), -0.1 * 3)


def test_what_came_to_no_end_soon_says_too_little():
    written = written_at("x = █\n", cut_short=True)
    left = remaining(*snapshot_of("x = to█\n"), written)
    assert left is not None
    assert left.cut_short
    assert remaining(*snapshot_of("x = tot█\n"), written) is None


@pytest.mark.parametrize(
    ("now", "guess"),
    [("x = t█\n", "otal(a)"), ("x = su█\n", "tal(a)"), ("y = s█\n", ""), ("x █= \n", "")],
)
def test_what_stood_there_is_expected(now, guess):
    assert expected(*snapshot_of(now), written_at("x = █\n")) == guess
