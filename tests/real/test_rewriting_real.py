"""What else is asked of an assistant, by the pinned model: its text is used, not only looked at."""

import pytest

from fimble.check import sandbox
from fimble.features import actions, explain, fix, rewrite, translate
from fimble.features.custom import kind_of
from fimble.features.offer import Diagnostic, Look, Offer, Task
from fimble.settings import DEFAULTS, read
from fimble.source.edits import applied
from goldens import LANGUAGES, snapshot_of

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

TOTAL = '''\
def total(numbers):█
    """Add all numbers.

    >>> total([1, 2, 3])
    6
    """
    result = 0
    for number in numbers:
        result = result + number
    return result
'''
TWICE = '''\
def has_twice(numbers):█
    """Tell whether a number is there twice.

    >>> has_twice([1, 2, 1])
    True
    """
    for first in range(len(numbers)):
        for second in range(len(numbers)):
            if first != second and numbers[first] == numbers[second]:
                return True
    return False
'''


async def make(engine, marked, kind, *, settings=DEFAULTS, name="a.py", diagnostics=(), **options):
    """Carry out an action at the mark; the new text and the outcome."""
    snapshot, offset = snapshot_of(name, marked)
    look = Look(snapshot, offset, offset, LANGUAGES, settings, diagnostics)
    offered = (one for one in actions.offers(look) if one.kind == kind)
    # What the client asks its user for is not on the list.
    wanted = Offer(kind, "", 0, 0, options=options) if options else next(offered)
    runs = sandbox.available
    task = Task(snapshot, wanted, LANGUAGES, settings, engine, may_run=runs)
    outcome = await actions.make(task)
    return applied(snapshot.text, outcome.edits), outcome


def run(text):
    """Run what a pinned model wrote greedily: it is always the same text."""
    names = {}
    exec(text, names)  # noqa: S102
    return names


async def test_a_function_is_simplified(engine):
    text, outcome = await make(engine, TOTAL, rewrite.SIMPLIFY)

    assert outcome.edits, outcome.message
    assert len(text) < len(TOTAL)
    assert [run(text)["total"](numbers) for numbers in ([], [4, 5])] == [0, 9]
    assert outcome.verified == await sandbox.available()


async def test_a_function_is_made_faster(engine):
    text, outcome = await make(engine, TWICE, rewrite.OPTIMIZE)

    assert outcome.edits, outcome.message
    assert "for second" not in text
    assert [run(text)["has_twice"](numbers) for numbers in ([], [4, 5], [4, 5, 4])] == [0, 0, 1]


async def test_a_function_gets_type_hints(engine):
    text, outcome = await make(engine, TOTAL, rewrite.TYPES)

    assert outcome.edits, outcome.message
    assert run(f"from __future__ import annotations\n{text}")["total"].__annotations__
    assert text.partition("\n")[2] == TOTAL.partition("\n")[2]


async def test_a_function_is_explained(engine):
    text, outcome = await make(engine, TWICE, explain.KIND)

    assert text == TWICE.replace("█", "")
    for heading in ("what it does", "complexity", "pitfalls"):
        assert heading in outcome.shown.lower()
    assert "O(n" in outcome.shown


async def test_a_file_is_translated_into_one_beside_it(engine):
    text, outcome = await make(engine, TOTAL, translate.KIND, to="javascript")

    assert text == TOTAL.replace("█", "")
    assert outcome.other is not None, outcome.message
    assert outcome.other.snapshot.uri.endswith("/a.js")
    assert "function total(numbers)" in outcome.other.edits[0].text


async def test_an_action_of_the_user_is_carried_out(engine):
    custom = {"name": "Ask", "prompt": "Which function is this? {selection}", "output": "show"}
    settings, _ = read({"actions": {"custom": [custom]}})
    _, outcome = await make(engine, TOTAL, kind_of("Ask"), settings=settings)

    assert "total" in outcome.shown


async def test_all_of_a_kind_are_mended(engine):
    marked = (
        "def area(width, height):\n    return widht█ * height\n\n\n"
        "def edge(width, height):\n    return 2 * (width + heihgt)\n"
    )
    start = marked.index("widht")
    problem = Diagnostic(start, start + 5, "Undefined name `widht`", "F821", "ruff")
    text, outcome = await make(engine, marked, fix.KIND_ALL, diagnostics=(problem,))

    assert text == marked.replace("widht█", "width").replace("heihgt", "height")
    assert outcome.verified
