"""What stands before the file: how it is written, chosen, and kept while somebody types."""

from dataclasses import replace

import pytest

from fimble.engine.messages import FimOrder, State
from fimble.engine.scripted import SCRIPTED_PROFILE, Script, ScriptedEngine
from fimble.features.ahead import better_anchor
from fimble.features.complete import complete
from fimble.features.memory import Memory
from fimble.prompt.context import NO_CONTEXT, Context, Snippet, choose, refreshed
from fimble.prompt.fim import Sentinel, assemble
from fimble.prompt.layout import Budget, anchor_anew, context_chars, lay_out
from fimble.settings import DEFAULTS
from fimble.source.text import Snapshot
from goldens import LANGUAGES

BUDGET = Budget(prefix=1200, suffix=300)
SHAPES = Snippet("geo/shapes.py", "def area(radius):\n    ...")
COLOURS = Snippet("colours.py", "RED = 1")
CONTEXT = Context("project", "app/main.py", (COLOURS, SHAPES))


def snapshot(text):
    return Snapshot.open("file:///home/me/project/app/main.py", 1, LANGUAGES.get("python"), text)


def laid_out(text="x = 1\ny = ", context=CONTEXT):
    return anchor_anew(snapshot(text), len(text), BUDGET, None, context)


def test_models_trained_on_repositories_see_one():
    parts = assemble(laid_out(), FimOrder.PREFIX_FIRST, {"repo", "file", "middle"})
    assert parts[:8] == (
        Sentinel.REPO,
        "project\n",
        Sentinel.FILE,
        "colours.py\nRED = 1\n",
        Sentinel.FILE,
        "geo/shapes.py\ndef area(radius):\n    ...\n",
        Sentinel.FILE,
        "app/main.py\n",
    )
    assert parts[8] is Sentinel.PREFIX


def test_a_model_without_a_repository_sentinel_sees_files():
    parts = assemble(laid_out(), FimOrder.PREFIX_FIRST, {"file", "middle"})
    assert parts[:2] == (Sentinel.FILE, "colours.py\nRED = 1\n")


@pytest.mark.parametrize(
    ("comment", "first"),
    [(("#", ""), "# From colours.py:\n# RED = 1\n"),
     (("/*", "*/"), "/* From colours.py: */\n/* RED = 1 */\n")],
)  # fmt: skip
def test_others_see_comments(comment, first):
    layout = laid_out(context=replace(CONTEXT, comment=comment))
    parts = assemble(layout, FimOrder.PREFIX_FIRST, {"middle"})
    assert parts[0] is Sentinel.PREFIX
    assert parts[1].startswith(first)


def test_without_context_nothing_but_the_file_is_named():
    parts = assemble(laid_out(context=None), FimOrder.PREFIX_FIRST, {"repo", "file", "middle"})
    assert parts[:2] == (Sentinel.FILE, "main.py\n")


def test_typing_and_jumping_leave_the_context_where_it_is():
    text = "x = 1\n" * 300
    layout = anchor_anew(snapshot(text), 900, BUDGET, None, CONTEXT)
    for offset in (901, 905, 1200, 30, len(text)):
        text = f"{text[:offset]}z{text[offset:]}"
        layout = lay_out(snapshot(text), offset + 1, BUDGET, layout, quick=0.5)
        assert layout.context is CONTEXT
    other = Snapshot.open("file:///b.py", 1, LANGUAGES.get("python"), text)
    assert lay_out(other, 5, BUDGET, layout).context is NO_CONTEXT


async def test_every_prompt_of_somebody_typing_goes_on_from_the_one_before():
    engine = ScriptedEngine(Script())
    engine.start()
    text = "import shapes\n\nx = "
    memory = Memory(layout=laid_out(text))
    for key in "shapes.area(3)":
        text += key
        _, memory = await complete(snapshot(text), len(text), memory, engine, DEFAULTS)
    assert len({prompt.parts[:-1] for prompt in engine.prompts}) == 1


def test_another_context_is_read_in_advance_and_the_same_is_not():
    engine = ScriptedEngine(Script())
    engine.start()
    text = "x = 1\ny = "
    memory = Memory(layout=laid_out(text))
    ask = (snapshot(text), len(text), memory, engine)
    assert better_anchor(*ask, CONTEXT) is None
    assert better_anchor(*ask, None) is None
    other = Context("project", "app/main.py", (SHAPES,))
    _, layout = better_anchor(*ask, other)
    assert layout.context is other
    engine.set_state(State.LOADING)
    assert better_anchor(*ask, other) is None


def test_the_best_stands_next_to_the_file_and_repetition_is_left_out():
    again = Snippet("copy.py", SHAPES.text)
    shown = Snippet("part.py", "total = price * amount")
    assert choose([SHAPES, again, shown, COLOURS], 500, "total = price * amount\n") == (
        COLOURS,
        SHAPES,
    )


def test_what_does_not_fit_makes_way_for_what_does():
    assert choose([replace(SHAPES, text="long_name " * 50), COLOURS], 100, "") == (COLOURS,)
    assert choose([SHAPES], 10, "") == ()


def test_a_context_that_is_half_good_stays():
    more = Context("project", "app/main.py", (SHAPES, Snippet("c.py", "BLUE = 2")))
    assert refreshed(CONTEXT, more, 500) is CONTEXT
    assert refreshed(CONTEXT, NO_CONTEXT, 500) is CONTEXT
    assert refreshed(NO_CONTEXT, more, 500) == more


def test_what_stays_keeps_its_place_and_what_is_new_comes_last():
    large = Snippet("large.py", "def other(): ..." * 10)
    new = Context("project", "app/main.py", (large, COLOURS))
    assert refreshed(CONTEXT, new, 500).snippets == (COLOURS, large)


@pytest.mark.parametrize(
    ("rate", "n_ctx", "chars"),
    [(0.0, 8192, 3584), (1000.0, 8192, 3584), (200.0, 8192, 1400), (20.0, 8192, 0),
     (1000.0, 2048, 1344), (1000.0, 1024, 0)],
)  # fmt: skip
def test_context_is_what_the_machine_reads_and_holds(rate, n_ctx, chars):
    profile = replace(SCRIPTED_PROFILE, prefill_rate=rate, n_ctx=n_ctx)
    assert context_chars(profile) == chars
    assert context_chars(None) == 3584
