"""A block's first lines: from when on they are judged, and which of them are shown."""

from dataclasses import replace

import pytest

from fimble.engine.base import Trace
from fimble.engine.messages import Piece, Priority
from fimble.engine.scripted import SCRIPTED_PROFILE, Script, ScriptedEngine
from fimble.features.complete import Completion, Reason, complete
from fimble.features.early import Early
from fimble.settings import DEFAULTS
from goldens import snapshot_of

PROFILE = replace(SCRIPTED_PROFILE, decode_rate=4.0)
"""Three tokens in 0.75 s."""


def draft(*texts):
    return [Piece(id=0, text=text, logprob=0, margin=1, model_ms=0) for text in texts]


async def seen(profile, *drafts, judged=None):
    """What is shown of drafts that are looked at in turn, each line being right."""
    shown = []

    async def judge(one):
        text = judged or one.text.rpartition("\n")[0]
        return Completion(text, 0, 0, Reason.SHOWN if text else Reason.EMPTY)

    early = Early(profile, judge, shown.append)
    for one in drafts:
        await early.look(one, Trace())
    return [(part.text, part.goes_on) for part in shown]


async def test_it_is_shown_once_at_the_end_of_a_line():
    drafts = [draft("a\n", "b"), draft("a\n", "b", "c"), draft("a", "\n", "b\n"), draft(*"ab\n\n")]
    assert await seen(PROFILE, *drafts) == [("a\nb", True)]


async def test_without_a_known_speed_the_whole_is_waited_for():
    assert await seen(None, draft("a", "b", "\n")) == []
    assert await seen(replace(PROFILE, decode_rate=0.0), draft("a", "b", "\n")) == []


async def test_what_had_to_be_closed_is_not_shown():
    assert await seen(PROFILE, draft("f(", "a,", "\n"), judged="f(a)") == []


@pytest.mark.parametrize(
    ("source", "answer", "parts"),
    [
        ("def f(v):█", "\n    a = 1\n    b = 2\n    c = 3\n", ["\n    a = 1"]),
        ("def f(v):█", "\n    a = g(\n        1,\n        2)", []),
        (
            "function f(v) {█\n}",
            "\n  if (v) {\n    g();\n  }\n  h();\n",
            ["\n  if (v) {\n    g();\n  }"],
        ),
        ("x = █y)", "1\nz = (\n    y)\n", []),
        ("x = █", "1\ny = 2\n", []),
    ],
)
async def test_the_first_lines_of_a_block(source, answer, parts):
    engine = ScriptedEngine(Script(default=answer))
    engine.start()
    engine._status = replace(engine.status, profile=PROFILE)
    snapshot, offset = snapshot_of("a.js" if "{" in source else "a.py", source)
    told = []
    completion, _ = await complete(
        snapshot,
        offset,
        None,
        engine,
        DEFAULTS,
        priority=Priority.KEY_PRESS,
        on_part=lambda part, memory: told.append((part.text, memory.shown.text)),
    )
    assert [part for part, _ in told] == [remembered for _, remembered in told] == parts
    assert not completion.goes_on
