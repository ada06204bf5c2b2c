"""A suggestion on its way: which texts it leads to, and what is left of it there."""

import asyncio
from types import SimpleNamespace

import pytest

from fimble.features.complete import Completion, Reason, remember
from fimble.features.flight import Flight
from fimble.features.memory import Memory
from fimble.protocol import flights
from fimble.source.text import Snapshot
from goldens import LANGUAGES


def snapshot_of(marked):
    offset = marked.index("█")
    text = marked.replace("█", "")
    return Snapshot.open("file:///a.py", 1, LANGUAGES.get("python"), text), offset


@pytest.mark.parametrize(
    ("asked", "written", "now", "leads"),
    [
        ("x = █\ny\n", "total(a", "x = to█\ny\n", True),
        ("x = █\ny\n", "", "x = to█\ny\n", True),
        ("x = █\ny\n", "to", "x = total█\ny\n", True),
        ("x = █\ny\n", "total(a", "x = ta█\ny\n", False),
        ("x = █\ny\n", "total(a", "x = total(█)\ny\n", True),
        ("x = █\ny\n", "total(a", "x = total(█]\ny\n", True),
        ("x = █\ny\n", "total(a", "x = █\ny\n", True),
        ("x = a█\ny\n", "b", "x = █\ny\n", False),
        ("x = █\ny\n", "total", "x = to█\nz\n", False),
        ("x = █\ny\n", "total", "z = to█\ny\n", False),
        ("x = █\ny\n", "y", "x = \ny█\n", False),
    ],
)
def test_what_it_leads_to(asked, written, now, leads):
    snapshot, offset = snapshot_of(asked)
    flight = Flight(snapshot, offset, written)
    assert flight.leads_to(*snapshot_of(now)) is leads


def test_what_is_left_of_it():
    snapshot, offset = snapshot_of("x = █\ny\n")
    flight = Flight(snapshot, offset)
    completion = Completion("total(a)", offset, offset, Reason.SHOWN)
    landed = completion, Memory(shown=remember(snapshot, completion))
    now, cursor = snapshot_of("x = to█\ny\n")
    assert flight.rest(now, cursor, landed).text == "tal(a)"
    assert flight.rest(snapshot, offset, landed) is completion
    assert flight.rest(now, cursor, (completion, Memory())) is None


def test_a_closer_that_came_behind_the_cursor_is_not_doubled():
    snapshot, offset = snapshot_of("x = foo(█\ny\n")
    flight = Flight(snapshot, offset, "a, b)")
    now, cursor = snapshot_of("x = foo(█)\ny\n")
    assert flight.leads_to(now, cursor)

    completion = Completion("a, b)", offset, offset, Reason.SHOWN)
    landed = completion, Memory(shown=remember(snapshot, completion))
    rest = flight.rest(now, cursor, landed)
    assert (rest.text, rest.end) == ("a, b)", cursor + 1)

    # Without a closer of its own it says nothing of what it would stand before.
    completion = Completion("a, b", offset, offset, Reason.SHOWN)
    landed = completion, Memory(shown=remember(snapshot, completion))
    assert flight.rest(now, cursor, landed) is None


async def test_who_typed_something_else_waits_no_longer_than_that_takes_to_show(monkeypatch):
    goes_on, ended = asyncio.Event(), []

    async def complete(_snapshot, offset, *_rest, on_text, **_more):
        if offset == 4:
            await goes_on.wait()
            on_text("total")
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("the first")
        return Completion("ed", offset, offset, Reason.SHOWN), Memory()

    def document(marked):
        snapshot, offset = snapshot_of(marked)
        return SimpleNamespace(snapshot=snapshot, memory=None), offset

    monkeypatch.setattr(flights, "complete", complete)
    ls = SimpleNamespace(
        engine=None,
        client_capabilities=SimpleNamespace(experimental=None),
        session=SimpleNamespace(settings=None, document=lambda _uri: None),
        outcomes=SimpleNamespace(stricter=lambda *_: 0.0),
        work=SimpleNamespace(start=lambda _name, work: asyncio.create_task(work)),
    )
    air = flights.Flights()
    first = asyncio.create_task(air.answer(ls, *document("x = █\n")))
    await asyncio.sleep(0)
    second = asyncio.create_task(air.answer(ls, *document("x = z█\n")))
    await asyncio.sleep(0)
    goes_on.set()

    completion, _ = await second

    assert (completion.text, ended) == ("ed", ["the first"])
    with pytest.raises(asyncio.CancelledError):
        await first
