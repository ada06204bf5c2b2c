from dataclasses import replace

import pytest

from fimble.engine.messages import Piece
from fimble.engine.scripted import SCRIPTED_INFO
from fimble.features.gate import THRESHOLDS, Evidence, doubt, sure_part, trust_in, written

SURE, UNSURE = (-0.01, 5.0), (-1.5, 0.1)


def pieces(*texts, figures=SURE):
    return tuple(Piece(0, text, *figures, 0.0) for text in texts)


NONE = Evidence()


def score(said, evidence=NONE):
    return doubt(said, evidence).score


def test_each_doubt_lowers_the_score():
    sure = score(pieces("a", " +", " b"))

    assert sure > score(pieces("a", " +", " b"), Evidence(mid_line=True))
    assert sure > score(pieces("a", " +", " b", figures=(-0.3, 5.0)))
    assert sure > score(pieces("a", " +", " b", figures=(-0.01, 1.0)))
    assert sure > score(pieces(*"abcdefgh"))


def test_the_first_token_does_not_count():
    assert score(pieces("a", figures=UNSURE)) == score(())


def test_what_typed_text_forced_upon_the_model_does_not_count():
    forced = Piece(0, "", -20.0, -13.0, 0.0)
    said = pieces("", "a", " +", " b")

    assert score((said[0], forced, *said[1:])) == score(said)


def test_who_is_eager_sees_more():
    assert THRESHOLDS["eager"] < THRESHOLDS["balanced"] < THRESHOLDS["quiet"]


@pytest.mark.parametrize(
    ("doubtful", "shown"),
    [(3, "a()\nb()\nc()"), (2, "a()\nb()"), (1, "a()"), (0, "")],
)
def test_cut_back_to_the_sure_lines(doubtful, shown):
    lines = ("a()", "b()", "c()")
    said = [
        piece
        for at, line in enumerate(lines)
        for piece in pieces("\n  ", line, figures=SURE if at < doubtful else UNSURE)
    ]

    text, reached = sure_part("\n".join(lines), said, "balanced", NONE)

    assert text == shown
    assert (reached >= THRESHOLDS["balanced"]) == bool(shown)


def test_a_model_that_went_on_with_what_follows_has_written_it_all():
    said = (*pieces("a()", "\n"), *pieces("b()", figures=(-1.0, 0.5)))
    assert sure_part("a()\nb()", said, "balanced", Evidence(meets=True))[0] == "a()\nb()"
    assert sure_part("a()\nb()", said, "balanced", NONE)[0] == "a()"

    unlikely = (*pieces("a()", "\n"), *pieces("b()", figures=(-9.0, 0.0)))
    assert sure_part("a()\nb()", unlikely, "balanced", Evidence(meets=True))[0] == "a()"


def test_nothing_below_leaves_more_ways_to_be_right():
    said = pieces("a", " +", " b", figures=(-0.2, 0.4))
    assert score(said) < THRESHOLDS["balanced"]
    assert sure_part("a + b", said, "balanced", NONE)[0] == ""
    assert sure_part("a + b", said, "balanced", Evidence(at_end=True))[0] == "a + b"


def test_a_larger_model_is_right_with_the_same_doubts():
    small, larger, largest = (
        trust_in(replace(SCRIPTED_INFO, n_params=n)) for n in (630_000_000, 10**9, 7 * 10**9)
    )
    assert trust_in(None) == trust_in(SCRIPTED_INFO) == small == 0
    assert 0 < larger < largest < 1
    said = pieces("a", " +", " b", figures=(-0.2, 0.4))
    assert sure_part("a + b", said, "balanced", NONE)[0] == ""
    assert sure_part("a + b", said, "balanced", Evidence(trust=largest))[0] == "a + b"


def test_what_was_trimmed_does_not_count():
    said = pieces("  a", " = ", "1", "\n", "junk")

    assert written("a = 1", said) == said[:3]
    assert written("a = 1\njunk", said) == said
    assert written("more than was said", said) == said


def test_habits_move_the_threshold():
    said = pieces("a", " +", " b", figures=(-0.2, 0.6))
    now = score(said)
    assert sure_part("a + b", said, "balanced", NONE, stricter=now - THRESHOLDS["balanced"] - 0.01)[
        0
    ]
    assert not sure_part(
        "a + b", said, "balanced", NONE, stricter=now - THRESHOLDS["balanced"] + 0.01
    )[0]
