"""The anchor benchmark: where the cursor is put, and how prompts are cut there."""

from fimble.measure.anchors import CLASSIC, _forms, _places
from fimble.measure.eval.rows import Judge, Row

ROW = Row(
    id="1",
    group="single-line",
    path="a.py",
    before="a = 1\nb = 2\nc = 3\nd = 4\n",
    after="\nf = 6\n",
    missing="total = 5",
    judge=Judge.LINES,
)


def test_the_cursor_is_put_at_four_kinds_of_places():
    places = {
        name: (row.before[row.before.rfind("\n", 0, -1) + 1 :], row.missing)
        for name, row in _places(ROW)
    }
    assert places == {
        "line start": ("d = 4\n", "total = 5"),
        "inside a word": ("to", "tal = 5"),
        "after a block": ("to", "tal = 5"),
        "line end": ("d = 4", "\ntotal = 5"),
    }


def test_each_form_has_all_of_the_text_and_its_own_anchor():
    (row,) = (row for name, row in _places(ROW) if name == "inside a word")
    deltas = {form: layout.delta for form, layout in _forms("inside a word", row)}
    assert deltas == {
        CLASSIC: "to",
        "0 lines": "to",
        "3 lines": "b = 2\nc = 3\nd = 4\nto",
        "6 lines": "a = 1\nb = 2\nc = 3\nd = 4\nto",
    }
    for _, layout in _forms("inside a word", row):
        assert layout.prefix + layout.delta == row.before
        assert layout.suffix == row.after


def test_an_accepted_block_makes_the_delta_longer():
    (row,) = (row for name, row in _places(ROW) if name == "after a block")
    deltas = {form: layout.delta for form, layout in _forms("after a block", row)}
    assert deltas["0 lines"].count("\n") == 4
