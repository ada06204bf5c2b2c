"""What a review finds, with an engine that doubts what a script says."""

import pytest

from fimble.engine.scripted import Script, ScriptedEngine
from fimble.features import actions, fix, review, reviewed
from fimble.features.offer import Look, Offer, Task
from fimble.settings import DEFAULTS
from fimble.source.edits import applied
from goldens import LANGUAGES, snapshot_of

MARKED = "def count(n):\n    bits = 0\n    while n:█\n        n ^= n - 1\n    return bits\n"


def engine(**script):
    made = ScriptedEngine(Script(**script))
    made.start()
    return made


def look_at(marked, name="a.py"):
    snapshot, offset = snapshot_of(name, marked)
    return Look(snapshot, offset, offset, LANGUAGES, DEFAULTS)


def task_for(look, offer, made):
    return Task(look.snapshot, offer, LANGUAGES, DEFAULTS, made)


async def reviewing(marked, made):
    """What a review shows: the text, and the diagnostics."""
    look = look_at(marked)
    (offer,) = review.offers(look)
    outcome = await review.make(task_for(look, offer, made))
    assert not outcome.edits
    assert bool(outcome.message) is not bool(outcome.found)
    return look.snapshot, outcome.found


async def test_the_unexpected_is_marked_with_what_belongs_there():
    made = engine(doubts={"^": "&"}, default="&= n - 1\n    x")
    snapshot, (hint,) = await reviewing(MARKED, made)

    assert snapshot.text[hint.start : hint.end] == "^"
    assert hint.message == "`^` is unexpected here. Fimble would write: n &= n - 1"
    assert hint.related == ("&= n - 1",)


async def test_nothing_is_found_where_nothing_is_unexpected():
    assert (await reviewing(MARKED, engine()))[1] == ()


async def test_of_a_line_the_worst_counts_and_of_a_function_three_lines():
    marked = "def f(n):█\n" + "    n = n + 1\n" * 4 + "    return n\n"
    doubts = {"n": "m", "1": "2", "+": "-", "return": "n"}
    snapshot, hints = await reviewing(marked, engine(doubts=doubts, default="n\n"))

    lines = [snapshot.line_of(hint.start) for hint in hints]
    assert len(lines) == len(set(lines)) == review.MAX_HINTS


async def test_the_worst_of_the_file_is_told_first():
    marked = "█X = 1\n\n\ndef f(n):\n    return n + 1\n\n\ndef g(n):\n    n ^= 1\n    return n\n"
    made = engine(doubts={"+": "-", "^": "&"}, answers={"    n ": "*= 1\n", "return n ": "- 1\n"})
    _, hints = await reviewing(marked, made)

    assert [hint.message.partition(".")[0] for hint in hints] == [
        "`+` is unexpected here (1 of 2)",
        "`^` is unexpected here (2 of 2)",
    ]


async def test_what_stands_above_the_body_is_not_judged():
    made = engine(doubts={"count": "number", "n": "m"}, default="m = 1\n")

    assert (await reviewing("def count(█n):\n    return 1\n", made))[1] == ()


async def test_a_line_that_what_follows_speaks_against_is_no_better():
    marked = "def f(n):█\n    old = 0\n    return old\n"
    made = engine(doubts={"old": "new", "new": "old", "n": "m"}, default="n = 0\n")

    assert (await reviewing(marked, made))[1] == ()


async def test_another_layout_is_no_other_code():
    marked = "def f(n):█\n    return max(\n        n,\n    )\n"
    made = engine(doubts={"max": "max(n", "\n": "n", "n": "n, )"}, default="max(n, )\n")

    assert (await reviewing(marked, made))[1] == ()


async def test_comments_and_strings_are_not_judged():
    marked = 'def f(n):█\n    """Wrong."""\n    return n  # Wrong\n'

    assert (await reviewing(marked, engine(doubts={"Wrong": "Right"})))[1] == ()


@pytest.mark.parametrize("answer", ["&= (n - 1\n", "&= unheard_of\n", "^=  n - 1\n", ""])
async def test_a_replacement_must_parse_and_know_its_names_and_be_one(answer):
    assert (await reviewing(MARKED, engine(doubts={"^": "&"}, default=answer)))[1] == ()


async def test_without_a_function_around_the_file_is_reviewed():
    marked = """█import os


def a(x):
    def c():
        pass


class B:
    def b(y):
        pass
"""
    made = engine()
    await reviewing(marked, made)

    assert len(made.prompts) == 2


async def test_a_function_that_is_too_long_is_left_out():
    body = "    x = 1\n" * (review.MAX_FUNCTION_CHARS // 10)
    look = look_at(f"def f():█\n{body}")
    (offer,) = review.offers(look)

    outcome = await review.make(task_for(look, offer, engine()))

    assert outcome.message == review.NO_FUNCTION
    assert outcome.found is None


async def test_line_ends_of_windows_move_nothing():
    made = engine(doubts={"^": "&"}, default="&= n - 1\n")
    snapshot, (hint,) = await reviewing(MARKED.replace("\n", "\r\n"), made)

    assert snapshot.text[hint.start : hint.end] == "^"
    seen = [part for prompt in made.prompts for part in prompt.parts if isinstance(part, str)]
    assert not any("\r" in part for part in seen)


async def test_a_hint_becomes_a_fix_of_its_own():
    made = engine(doubts={"^": "&"}, default="&= n - 1\n")
    snapshot, (hint,) = await reviewing(MARKED, made)
    look = Look(snapshot, hint.start, hint.end, LANGUAGES, DEFAULTS, (hint,))

    (offer,) = reviewed.offers(look)
    outcome = await actions.make(task_for(look, offer, made))

    assert (offer.kind, offer.title) == (reviewed.KIND, "Change to: &= n - 1")
    assert applied(snapshot.text, outcome.edits) == MARKED.replace("█", "").replace("^", "&")
    assert not list(fix.offers(look))


async def test_a_replacement_that_does_not_fit_any_more_is_refused():
    look = look_at(MARKED)
    offer = Offer(reviewed.KIND, "", look.start - 1, look.start, options={"text": "(n:"})

    outcome = await reviewed.make(task_for(look, offer, engine()))

    assert outcome.message == reviewed.STALE
    assert not outcome.edits


@pytest.mark.parametrize(("name", "text"), [("a.txt", "hello█\n"), ("a.json", '{"a": 1█}\n')])
def test_a_file_without_functions_is_not_reviewed(name, text):
    assert not list(review.offers(look_at(text, name)))
