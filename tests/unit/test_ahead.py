"""Thinking ahead: the states that are expected, and what is prepared for them."""

from dataclasses import replace

import pytest

from fimble.engine.messages import State
from fimble.engine.scripted import Script, ScriptedEngine
from fimble.features.ahead import better_anchor, next_suggestions, states_after
from fimble.features.complete import Completion, Reason, complete
from fimble.features.memory import Shown
from fimble.settings import DEFAULTS
from fimble.source.text import Snapshot
from goldens import LANGUAGES


def snapshot_of(marked, language="python"):
    offset = marked.index("█")
    text = marked.replace("█", "")
    return Snapshot.open(f"file:///a.{language}", 1, LANGUAGES.get(language), text), offset


def expected(marked, suggestion, language="python"):
    """The texts with the cursor mark that are expected after accepting ``suggestion``."""
    snapshot, offset = snapshot_of(marked, language)
    shown = Completion(suggestion, offset, offset, Reason.SHOWN)
    return [
        f"{state.text[:place]}█{state.text[place:]}"
        for state, place in states_after(snapshot, shown)
    ]


@pytest.mark.parametrize(
    ("marked", "suggestion", "language", "states"),
    [
        (
            "def f():\n    ret█\n",
            "urn 1",
            "python",
            ["def f():\n    return 1█\n", "def f():\n    return 1\n    █\n"],
        ),
        ("if x█\n", " > 1:", "python", ["if x > 1:█\n", "if x > 1:\n    █\n"]),
        (
            "function f() {\r\n\tlet a█\r\n}\r\n",
            " = 1;",
            "javascript",
            [
                "function f() {\r\n\tlet a = 1;█\r\n}\r\n",
                "function f() {\r\n\tlet a = 1;\r\n\t█\r\n}\r\n",
            ],
        ),
        ("print(█)\nx\n", "1", "python", ["print(1█)\nx\n"]),
    ],
)
def test_states(marked, suggestion, language, states):
    assert expected(marked, suggestion, language) == states


async def follow(marked, answers):
    """Ask at the mark, then think ahead: the answer and the suggestions prepared."""
    engine = ScriptedEngine(Script(answers))
    engine.start()
    snapshot, offset = snapshot_of(marked)
    completion, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
    following = next_suggestions(snapshot, completion, memory, engine, DEFAULTS)
    ahead = [shown async for shown in following if isinstance(shown, Shown)]
    return snapshot, completion, memory, engine, ahead


async def test_the_suggestion_for_the_next_line_is_there_before_enter():
    snapshot, first, memory, engine, ahead = await follow(
        "def f(a):\n    b█\n", {"    b": " = a + 1\n", "a + 1\n    ": "return b\n"}
    )
    assert first.text == " = a + 1"
    assert [shown.text for shown in ahead] == ["return b"]
    memory = replace(memory, ahead=tuple(ahead))
    asked = len(engine.prompts)
    entered = snapshot.edit(first.start, first.end, f"{first.text}\n    ", 2)
    offset = first.start + len(first.text) + 5
    answer, memory = await complete(entered, offset, memory, engine, DEFAULTS)
    assert (answer.text, answer.detail) == ("return b", "typed along")
    assert len(engine.prompts) == asked
    assert memory.shown == ahead[0]


async def test_another_continuation_is_not_answered_from_what_was_prepared():
    snapshot, first, memory, engine, ahead = await follow(
        "def f(a):\n    b█\n", {"    b": " = a + 1\n", "a + 1\n    ": "return b\n"}
    )
    memory = replace(memory, ahead=tuple(ahead))
    other = snapshot.edit(first.start, first.end, " = 7\n    ", 2)
    answer, _ = await complete(other, first.start + 9, memory, engine, DEFAULTS)
    assert answer.reason is Reason.EMPTY


async def test_a_better_anchor_is_read_only_when_the_old_one_is_outgrown():
    engine = ScriptedEngine(Script())
    engine.start()
    snapshot, offset = snapshot_of("x = 1\n" * 20 + "█\n")
    _, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
    assert better_anchor(snapshot, offset, memory, engine) is None
    longer = snapshot.edit(offset, offset, "y = 2\n" * 8, 2)
    _, memory = await complete(longer, offset + 48, memory, engine, DEFAULTS)
    _, layout = better_anchor(longer, offset + 48, memory, engine)
    assert layout.anchor > memory.layout.anchor
    assert not layout.outgrown
    engine.set_state(State.LOADING)
    assert better_anchor(longer, offset + 48, memory, engine) is None
