"""What a review finds, with an engine that doubts what a script says."""

from fimble.engine.scripted import Script, ScriptedEngine
from fimble.features import review, reviewed
from fimble.features.offer import Look, Task
from fimble.settings import DEFAULTS
from fimble.source.edits import applied
from goldens import LANGUAGES, snapshot_of

MARKED = "def count(n):\n    bits = 0\n    while n:█\n        n ^= n - 1\n    return bits\n"


def engine(**script):
    made = ScriptedEngine(Script(**script))
    made.start()
    return made


async def hints_in(marked, made, name="a.py"):
    snapshot, offset = snapshot_of(name, marked)
    hints = await review.review(snapshot, LANGUAGES, (offset, offset), made)
    return snapshot, hints


async def test_the_unexpected_is_marked_with_what_belongs_there():
    snapshot, hints = await hints_in(MARKED, engine(doubts={"^": "&"}, default="&= n - 1\n    x"))

    (hint,) = hints
    assert snapshot.text[hint.start : hint.end] == "^"
    assert "n &= n - 1\n    return" in applied(snapshot.text, [hint.edit])


async def test_nothing_is_found_where_nothing_is_unexpected():
    _, hints = await hints_in(MARKED, engine())

    assert hints == ()


async def test_of_a_line_the_worst_counts_and_of_a_function_three_lines():
    doubts = {"bits": "b", "n": "m", "0": "1", "1": "2"}
    snapshot, hints = await hints_in(MARKED, engine(doubts=doubts))

    lines = [snapshot.line_of(hint.start) for hint in hints]
    assert len(lines) == len(set(lines)) == review.MAX_HINTS


async def test_comments_and_strings_are_not_judged():
    marked = 'def f(n):█\n    """Wrong."""\n    return n  # Wrong\n'
    _, hints = await hints_in(marked, engine(doubts={"Wrong": "Right"}))

    assert hints == ()


async def test_a_replacement_must_parse_and_know_its_names():
    for answer in ("&= (n - 1\n", "&= unheard_of\n", "^= n - 1\n", ""):
        _, hints = await hints_in(MARKED, engine(doubts={"^": "&"}, default=answer))
        assert [hint.edit for hint in hints] == [None]


async def test_without_a_function_around_the_file_is_reviewed():
    marked = "█import os\n\n\ndef a(x):\n    return x\n\n\ndef b(y):\n    return y\n"
    made = engine()
    await hints_in(marked, made)

    assert len(made.prompts) == 2


async def test_a_hint_becomes_a_diagnostic_and_its_fix_an_edit():
    snapshot, offset = snapshot_of("a.py", MARKED)
    made = engine(doubts={"^": "&"}, default="&= n - 1\n")
    (offer,) = review.offers(Look(snapshot, offset, offset, LANGUAGES, DEFAULTS))
    outcome = await review.make(Task(snapshot, offer, LANGUAGES, DEFAULTS, made))

    (shown,) = outcome.found
    assert shown.message == "`^` is unexpected here. Fimble would write: n &= n - 1"
    look = Look(snapshot, shown.start, shown.end, LANGUAGES, DEFAULTS, (shown,))
    fix = next(iter(reviewed.offers(look)))
    assert (fix.kind, fix.title) == (reviewed.KIND, "Change to: &= n - 1")
    outcome = await reviewed.make(Task(snapshot, fix, LANGUAGES, DEFAULTS, made))
    assert "        n &= n - 1\n" in applied(snapshot.text, outcome.edits)


async def test_a_file_without_a_grammar_is_not_reviewed():
    snapshot, offset = snapshot_of("a.txt", "hello█\n")

    assert not list(review.offers(Look(snapshot, offset, offset, LANGUAGES, DEFAULTS)))
