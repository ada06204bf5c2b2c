"""Completion items: which names, in which order, and what becomes of the model's opinion."""

from dataclasses import replace
from time import perf_counter

import msgspec
import pytest

from fimble.engine.messages import State
from fimble.engine.scripted import SCRIPTED_PROFILE, Script, ScriptedEngine
from fimble.features.complete import complete
from fimble.features.items import (
    LINE,
    MEMBER,
    Survey,
    find_spot,
    list_items,
    tokens_within,
)
from fimble.features.memory import Memory
from fimble.settings import DEFAULTS
from fimble.source.docs import comment_of, signature
from fimble.source.names import nearest, scan
from goldens import LANGUAGES, snapshot_of

UNRANKED = msgspec.structs.replace(
    DEFAULTS, completion=msgspec.structs.replace(DEFAULTS.completion, items="unranked")
)
OFF = msgspec.structs.replace(
    DEFAULTS, completion=msgspec.structs.replace(DEFAULTS.completion, items="off")
)


def ready(**script):
    engine = ScriptedEngine(Script(**script))
    engine.start()
    return engine


async def listed(marked, *, name="a.py", others=(), engine=None, memory=None, **options):
    snapshot, offset = snapshot_of(name, marked)
    survey = Survey(LANGUAGES)
    opened = [snapshot_of(f"other{index}.py", text + "█")[0] for index, text in enumerate(others)]
    settings = options.pop("settings", DEFAULTS)
    return await list_items(
        snapshot,
        offset,
        memory,
        engine or ready(),
        settings,
        survey=survey,
        others=opened,
        **options,
    )


async def check(marked, *expected, **options):
    """The first names of the list, as many as are expected."""
    found = await listed(marked, **options)
    assert [item.text for item in found.items][: len(expected)] == list(expected)
    return found


def knowing(*names):
    """What the index would say."""

    async def more(_spot):
        return names

    return more


async def test_names_of_the_same_scope_come_first_then_near_ones():
    text = "far_total = 1\n\ndef other(fast):\n    fargo = 2\n\ndef f(farm):\n    x = fa█\n"
    await check(text, "farm", "fargo", "fast", "far_total")


async def test_names_of_other_documents_and_of_the_index_come_last():
    found = await check(
        "value = 1\nva█\n",
        "value",
        "valid",
        "vacant",
        others=["def valid(): ...\n"],
        more=knowing(("vacant", "class")),
    )
    assert found.items[1].kind == "function"
    assert found.items[1].uri.endswith("other0.py")
    assert found.items[2].kind == "class"


async def test_members_of_other_files_come_after_those_of_this_one():
    text = "class A:\n    def area(self): ...\n\nshape.arc\nshape.a█\n"
    await check(text, "arc", "area", "angle", more=knowing(("angle", "method")))


@pytest.mark.parametrize("operator", [".", "->", "::", "?."])
async def test_members_of_the_same_receiver_come_first(operator):
    text = (
        f"q{operator}push(1)\np{operator}pop(2)\np{operator}peek()\np{operator}peek()\np{operator}█"
    )
    found = await check(text, "peek", "pop", "push", name="a.cpp")
    assert found.items[0].kind == MEMBER


async def test_members_seen_in_other_documents_count():
    await check("p.█", "top", others=["p.top()\n"])


async def test_a_method_has_its_kind_and_its_place():
    found = await check("class A:\n    def walk(self): ...\n\na.w█\n", "walk")
    assert (found.items[0].kind, found.items[0].at) == ("method", 17)


async def test_case_does_not_matter_and_the_typed_word_is_not_offered():
    await check("HttpClient = 1\nhtt█", "HttpClient")
    found = await listed("other = 1\nxyz█")
    assert found.items == ()


async def test_nothing_in_numbers_comments_strings_or_where_it_is_off():
    for marked in ("x = 12█", "x = 1.█", "# val█\nvalue = 1\n", "value = 'val█'\n"):
        assert await listed(marked) is None
    assert await listed("value = 1\nva█", settings=OFF) is None


async def test_the_model_orders_names_when_it_has_read_the_file():
    text = "valid = 1\nvalue = 2\nva█\n"
    engine = ready(ranks={"valid": -5.0, "value": -0.1})
    snapshot, offset = snapshot_of("a.py", text)
    _, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
    memory = Memory(memory.layout)
    found = await check(text, "value", "valid", engine=engine, memory=memory)
    assert found.ranked
    assert found.is_sure
    prompt, texts = engine.ranked[-1]
    assert set(texts) == {"valid", "value"}
    assert prompt.parts[-1].endswith("value = 2\n")


async def test_a_cold_file_or_a_setting_leaves_the_order_of_the_text():
    text = "valid = 1\nvalue = 2\nva█\n"
    engine = ready(ranks={"valid": -0.1})
    await check(text, "value", "valid", engine=engine)
    snapshot, offset = snapshot_of("a.py", text)
    _, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
    await check(text, "value", "valid", engine=engine, memory=memory, settings=UNRANKED)
    assert engine.ranked == []


async def test_a_busy_or_broken_model_costs_the_order_only():
    text = "valid = 1\nvalue = 2\nva█\n"
    engine = ready()
    snapshot, offset = snapshot_of("a.py", text)
    _, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
    busy = ready(delay_ms=3_600_000)
    started = perf_counter()
    found = await check(text, "value", "valid", engine=busy, memory=memory)
    assert perf_counter() - started < 1
    assert not found.ranked
    engine.set_state(State.DOWN)
    await check(text, "value", "valid", engine=engine, memory=memory)


async def test_the_suggestion_that_is_shown_comes_first_and_is_not_made_again():
    text = "value = 1\nprint(va█)\n"
    engine = ready(answers={"va": "lue + 1"})
    snapshot, offset = snapshot_of("a.py", text)
    _, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
    asked = len(engine.prompts)
    found = await listed(text, engine=engine, memory=memory)
    first = found.items[0]
    assert first.kind == LINE
    assert first.text.startswith("value + 1")
    assert found.is_sure
    assert len(engine.prompts) == asked


def test_the_word_around_the_cursor():
    snapshot, offset = snapshot_of("a.py", "😀 = some█thing + 1")
    spot = find_spot(snapshot, offset)
    assert (spot.start, spot.offset, spot.end, spot.typed) == (4, 8, 13, "some")


@pytest.mark.parametrize(
    ("name", "text", "head", "comment"),
    [
        ("a.py", 'def f(a):\n    """Add.\n\n    More.\n    """\n', "def f(a):", "Add.\n\nMore."),
        ("a.rs", "/// Adds.\n/// Well.\nfn f(a: u8) {}\n", "fn f(a: u8) {}", "Adds.\nWell."),
        ("a.js", "/**\n * Adds.\n */\nfunction f(a) {\n}\n", "function f(a)", "Adds."),
        ("a.py", "def f(a):\n    return '''x'''\n", "def f(a):", ""),
    ],
)
def test_documentation_comes_from_the_definition(name, text, head, comment):
    snapshot, _ = snapshot_of(name, text + "█")
    survey = Survey(LANGUAGES)
    symbol = survey.symbol(snapshot, "f", 3)
    assert signature(snapshot, symbol) == head
    assert comment_of(snapshot, symbol) == comment


@pytest.mark.parametrize(
    ("rate", "costs", "tokens"),
    [(0.0, (), 1), (40.0, (), 1), (40.0, (1.0, 1.1, 1.2, 2.0), 2 + 1), (10.0, (1.0,), 0)],
)
def test_no_more_is_ranked_than_there_is_time_for(rate, costs, tokens):
    profile = replace(SCRIPTED_PROFILE, decode_rate=rate, batch_costs=costs)
    assert tokens_within(0.055, profile) == tokens


async def test_a_scan_counts_words_and_members():
    names = await scan("a.b.c\nd->e\nf()::g\n")
    assert names.words["a"] == 1
    assert {key: list(value) for key, value in names.members.items()} == {
        "a": ["b"],
        "b": ["c"],
        "d": ["e"],
        ")": ["g"],
    }


async def test_a_long_run_of_digits_is_read_once():
    # Whoever reads it anew from each of its characters is busy for half a minute here.
    bytecode = "6080" * 16_000
    assert not (await scan(f'CODE = "{bytecode}"\n')).members
    snapshot, offset = snapshot_of("a.py", f"bytes.fromhex({bytecode}).█\n")
    assert find_spot(snapshot, offset).receiver.endswith(")")


def test_shared_scopes_beat_distance():
    text = "far " + "x" * 10 + " near ("
    assert nearest(text + "inner ", len(text) + 6, 100, [(len(text), len(text) + 6)])[0] != "far"
