"""What the pinned model suggests in real files, through the whole of `features.complete`."""

from dataclasses import replace

import pytest

from conftest import running_engine
from fimble.engine.messages import Prompt
from fimble.errors import PromptTooLong
from fimble.features.choices import MAX_CHOICES, Selected, beyond, choices
from fimble.features.complete import Reason, complete
from fimble.features.memory import Memory
from fimble.features.windows import read_ahead
from fimble.prompt.layout import quick_tokens
from fimble.settings import DEFAULTS, read
from fimble.source.tree import error_count
from goldens import show, snapshot_of

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

PYTHON = '''\
"""Geometry in the plane."""

import math


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def distance(self, other):
        """The distance between two points."""
        return math.hypot(self.x - other.x, self.y - other.y)


def add(a, b):
    """Return the sum of a and b."""
    ret█


def is_even(number):
    return number % 2 == 0
'''

SCRIPT = """\
class Stack {
  constructor() {
    this.items = [];
  }

  push(item) {
    this.items.push(item);
  }

  pop() {█
  }

  get size() {
    return this.items.length;
  }
}
"""


@pytest.mark.parametrize(
    ("name", "marked", "expected"),
    [
        ("geometry.py", PYTHON, "    return a + b\n"),
        ("stack.js", SCRIPT, "return this.items.pop();\n"),
    ],
)
async def test_a_sensible_suggestion(engine, name, marked, expected):
    snapshot, offset = snapshot_of(name, marked)

    eager, _ = read({"completion": {"eagerness": "eager"}})

    first, memory = await complete(snapshot, offset, None, engine, eager)
    again, _ = await complete(snapshot, offset, Memory(memory.layout), engine, eager)

    assert first.reason is Reason.SHOWN, first
    shown = show(snapshot, first.start, first.end, first.text).replace("«", "").replace("»", "")
    assert expected in shown
    edited = snapshot.edit(first.start, first.end, first.text, 2)
    assert error_count(edited.tree) <= error_count(snapshot.tree)
    assert (again.text, again.start, again.end) == (first.text, first.start, first.end)


async def test_the_first_key_in_a_file_read_in_advance_sees_all_above(engine):
    above = "".join(f"def f{number}(a):\n    return a + {number}\n\n\n" for number in range(30))
    marked = f"{above}def g(a):\n    return █\n" + "y = 2\n" * 200
    snapshot, offset = snapshot_of("ahead.py", marked)
    ahead, _ = read_ahead(snapshot, engine)
    await engine.prefill(ahead)

    first, memory = await complete(snapshot, offset, None, engine, DEFAULTS)

    assert memory.layout.start == 0
    assert first.trace.reused > 200
    assert first.trace.evaluated <= quick_tokens(engine.status.profile)


GAP = """\
def all_prefixes(string):
    result = []

    for i in range(len(█sult
"""


async def test_what_is_missing_before_the_rest_of_a_line_may_be_lines(engine):
    snapshot, offset = snapshot_of("prefixes.py", GAP)
    eager, _ = read({"completion": {"eagerness": "eager"}})

    filled, _ = await complete(snapshot, offset, None, engine, eager)

    assert filled.reason is Reason.SHOWN, filled
    assert "\n" in filled.text
    assert filled.end == offset
    assert error_count(snapshot.edit(offset, offset, filled.text, 2).tree) == 0


class Calibrated:
    """The engine, with what a slow machine's calibration would say of it."""

    def __init__(self, engine):
        self._engine = engine
        profile = replace(engine.status.profile, decode_rate=20.0)
        self.status = replace(engine.status, profile=profile)

    def __getattr__(self, name):
        return getattr(self._engine, name)


async def test_a_block_that_takes_long_begins_early(engine):
    marked = PYTHON.replace("    ret█\n", "    return a + b\n") + "\n\ndef median(numbers):█\n"
    snapshot, offset = snapshot_of("numbers.py", marked)
    eager, _ = read({"completion": {"eagerness": "eager"}})
    parts = []

    whole, _ = await complete(
        snapshot,
        offset,
        None,
        Calibrated(engine),
        eager,
        on_part=lambda part, _memory: parts.append(part),
    )

    assert whole.reason is Reason.SHOWN, whole
    [part] = parts
    assert part.goes_on
    assert whole.text.startswith(part.text)
    assert part.trace.generated < whole.trace.generated


async def test_the_next_key_reads_almost_nothing(engine):
    snapshot, offset = snapshot_of("new.py", PYTHON)  # nothing of it was read before
    first, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
    typed = snapshot.edit(offset, offset, "urn b", 2)

    second, _ = await complete(typed, offset + 5, memory, engine, DEFAULTS)

    assert first.trace.evaluated > 50
    assert 0 < second.trace.evaluated <= 5
    assert second.trace.prompt_tokens - second.trace.reused <= 5


async def test_by_hand_there_is_a_choice(engine):
    snapshot, offset = snapshot_of("geometry.py", PYTHON)

    found, _ = await choices(snapshot, offset, None, engine, DEFAULTS)

    assert found[0].reason is Reason.SHOWN
    assert len({one.text for one in found}) == len(found) <= MAX_CHOICES
    for one in found:
        edited = snapshot.edit(one.start, one.end, one.text, 2)
        assert error_count(edited.tree) <= error_count(snapshot.tree)


async def test_it_goes_on_from_the_selected_item(engine):
    snapshot, offset = snapshot_of("geometry.py", PYTHON)

    item = Selected(offset - 3, offset, "return ")
    got, _ = await beyond(item, snapshot, None, engine, DEFAULTS)

    assert got.text == "return a + b"
    assert (got.start, got.end) == (offset - 3, offset)


async def test_a_file_of_more_tokens_than_the_context_holds(model_path):
    above = "# བོད་སྐད་ནི་བོད་མིའི་སྐད་ཡིག་ཡིན།\n" * 200  # two tokens a character, code is a third of one
    snapshot, offset = snapshot_of("a.py", f"{above}one = 1\ntwo = 2\nthree = █\n")

    async with running_engine(model_path, n_ctx=1024) as engine:
        completion, memory = await complete(snapshot, offset, None, engine, DEFAULTS)
        with pytest.raises(PromptTooLong):
            await engine.prefill(Prompt((above,)))

    assert (completion.reason, completion.text) == (Reason.SHOWN, "3")
    assert 600 < completion.trace.prompt_tokens < 1024
    assert memory.layout is not None
