"""Completion items: names that may stand here, in the order in which the model expects them.

The names come from the text and its syntax tree, so there is a list whether or not a model is
loaded. The model ranks its beginning in one batch if it has read the file already, and no text
is generated: the line that comes first is the suggestion that inline completion made.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import exp
from typing import TYPE_CHECKING, Any, Final

from fimble.check.place import look
from fimble.engine.messages import Priority
from fimble.errors import FimbleError
from fimble.features.complete import type_along
from fimble.features.memory import Shown
from fimble.features.shape import excluded
from fimble.features.windows import warm
from fimble.prompt.fim import prompt_for
from fimble.source.lexical import Inside, inside
from fimble.source.names import Names, nearest, scan
from fimble.source.symbols import Symbol, symbols
from fimble.source.tree import ByteOffsets, captures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from fimble.engine.base import Engine
    from fimble.engine.messages import Profile, Prompt
    from fimble.features.memory import Memory
    from fimble.settings import Settings
    from fimble.source.languages import Languages
    from fimble.source.text import Snapshot

MAX_ITEMS: Final = 100
RANKED_ITEMS: Final = 32
"""So many of the likeliest by place are shown to the model: one batch and a popup's two pages."""
RANK_S: Final = 0.07
"""Longest wait for the model's order: with what comes before and after, 80 ms in all."""
READ_S: Final = 0.055
"""What the ranking may take by the calibration, which was done behind a short prompt. Measured on
two cores with the 0.5B behind 1,000 tokens: 33 ms for the first tokens of all names, 68 ms with
one more batch of one token, 86 ms of two, 138 ms of seven."""
UNMEASURED_TOKENS: Final = 1
SURE: Final = 0.7
"""Share of the first item in the probability of all that were ranked that makes it preselected."""
REACH: Final = 8_000
"""Characters on either side in which a name's distance counts."""
STALE_CHARS: Final = 200
"""How much a text may have grown before its far names are looked up again."""
SLICE_CHARS: Final = 20_000
MEMBER: Final = "member"
WORD: Final = "word"
LINE: Final = "line"

_NOTHING: Final[Counter[str]] = Counter()
_TYPED: Final = re.compile(r"(?<!\w)\w*$")
_ACCESS: Final = re.compile(r"(?<![\w)\]])([\w)\]]*)(?:\?\.|\.|->|::)$")


@dataclass(frozen=True, slots=True)
class Spot:
    """The word being typed: ``text[start:offset]``; it goes on to ``end``.

    ``receiver`` is what stands before an access operator, None where there is no operator.
    """

    start: int
    offset: int
    end: int
    typed: str
    receiver: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One item: ``text`` takes the place of the word.

    ``kind`` is a kind of `source.symbols`, or `MEMBER`, `WORD` or `LINE`. ``uri`` and ``at`` say
    where the name is defined, if that is known. ``end`` is set where more than the word goes.
    """

    text: str
    kind: str
    uri: str = ""
    at: int = -1
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """The list, best first; ``is_sure`` of its first item, ``ranked`` by the model."""

    spot: Spot
    items: tuple[Item, ...]
    is_sure: bool = False
    ranked: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What one text was found to hold."""

    text: str
    names: Names
    symbols: tuple[Symbol, ...]


More = Callable[[Spot], Awaitable[Sequence[tuple[str, str]]]]
"""Gives further names for a word, with their kinds, the best first."""
WhileFresh = Callable[[Coroutine[Any, Any, "Items"]], Awaitable["Items | None"]]
"""Awaits work on a text; stops it, and gives None, once the text has changed."""


class Survey:
    """What the open documents hold; looked up again when they have changed by more than a bit."""

    def __init__(self, languages: Languages) -> None:
        self._languages = languages
        self._seen: dict[str, Seen] = {}

    def forget(self, uri: str) -> None:
        """Drop a document that was closed."""
        self._seen.pop(uri, None)

    async def of(self, snapshot: Snapshot) -> Seen:
        """Return what a document holds, looked up in slices that give way to the loop."""
        seen = self._seen.get(snapshot.uri)
        if seen is not None and _is_fresh(seen, snapshot):
            return seen
        found = {symbol.name_start: symbol async for symbol in self._symbols(snapshot)}
        seen = Seen(snapshot.text, await scan(snapshot.text), tuple(found.values()))
        self._seen[snapshot.uri] = seen
        return seen

    def scopes(self, snapshot: Snapshot, offset: int) -> list[tuple[int, int]]:
        """Return the ranges of the definitions and blocks around a place, outer ones first."""
        query = self._languages.query(snapshot.language, "scopes")
        if query is None or snapshot.tree is None:
            return []
        offsets = ByteOffsets(snapshot.text)
        at = offsets.to_byte(offset)
        nodes = captures(query, snapshot.tree, max(at - 1, 0), at + 1).get("scope", [])
        return [(offsets.to_offset(n.start_byte), offsets.to_offset(n.end_byte)) for n in nodes]

    def symbol(self, snapshot: Snapshot, name: str, at: int) -> Symbol | None:
        """Return the definition of ``name`` nearest to where it was when it was listed."""
        query = self._languages.query(snapshot.language, "symbols")
        if query is None:
            return None
        low, high = max(at - SLICE_CHARS // 2, 0), at + SLICE_CHARS // 2
        same = [one for one in symbols(snapshot, query, low, high) if one.name == name]
        return min(same, key=lambda one: abs(one.name_start - at), default=None)

    async def _symbols(self, snapshot: Snapshot) -> AsyncIterator[Symbol]:
        query = self._languages.query(snapshot.language, "symbols")
        for start in range(0, len(snapshot.text), SLICE_CHARS):
            if query is None or snapshot.tree is None:
                return
            for symbol in symbols(snapshot, query, start, start + SLICE_CHARS):
                yield symbol
            await asyncio.sleep(0)


async def list_items(
    snapshot: Snapshot,
    offset: int,
    memory: Memory | None,
    engine: Engine,
    settings: Settings,
    *,
    survey: Survey,
    others: Sequence[Snapshot] = (),
    more: More | None = None,
    while_fresh: WhileFresh | None = None,
) -> Items | None:
    """List what may stand at ``offset``; None where nothing should be offered.

    ``others`` are further open documents, the last used first, and ``more`` says what files that
    are not open define, with its kinds. Engine trouble, a model that has other things to do, or a
    key that comes ``while_fresh`` awaits the model, only costs the order.
    """
    spot = find_spot(snapshot, offset)
    if spot is None or _is_unwanted(snapshot, spot, settings):
        return None
    here = await survey.of(snapshot)
    elsewhere = [(other.uri, await survey.of(other)) for other in others]
    known = dict(await more(spot)) if more else {}
    if spot.receiver is None:
        near = nearest(snapshot.text, offset, REACH, survey.scopes(snapshot, offset))
        names = _words(near, here, elsewhere, known)
    else:
        names = _members(spot.receiver, here, elsewhere, known)
    defined = _defined(((snapshot.uri, here), *elsewhere))
    found = Items(spot, tuple(_items(spot, names, defined, known)))
    if settings.completion.items == "on":
        ranking = _rank(found, snapshot, memory, engine)
        found = await (while_fresh(ranking) if while_fresh else ranking) or found
    line = model_line(snapshot, spot, memory)
    if line is None:
        return found
    return replace(found, items=(line, *found.items), is_sure=True)


def find_spot(snapshot: Snapshot, offset: int) -> Spot | None:
    """Return the word at a place; None inside a number."""
    first, last = snapshot.line_range(snapshot.line_of(offset))
    offset = min(offset, last)
    before = snapshot.text[first:offset]
    match = _TYPED.search(before)
    typed = match[0] if match else ""
    if typed[:1].isdigit():
        return None
    access = _ACCESS.search(before.removesuffix(typed))
    end = offset
    while typed and end < last and (snapshot.text[end].isalnum() or snapshot.text[end] == "_"):
        end += 1
    receiver = access[1] if access else None
    if receiver is not None and receiver.isdigit():
        return None
    return Spot(offset - len(typed), offset, end, typed, receiver)


def model_line(snapshot: Snapshot, spot: Spot, memory: Memory | None) -> Item | None:
    """Return the rest of the line as inline completion suggested it, if it still fits."""
    if memory is None:
        return None
    place = look(snapshot, spot.offset)
    for shown in (memory.shown, *memory.ahead):
        if not isinstance(shown, Shown):
            continue
        along = type_along(snapshot, spot.offset, place, shown)
        if along is None:
            continue
        line, _, rest = along.text.partition("\n")
        if line.strip():
            end = spot.offset if rest else along.end
            return Item(spot.typed + line.rstrip(), LINE, end=end)
    return None


def _is_unwanted(snapshot: Snapshot, spot: Spot, settings: Settings) -> bool:
    if not settings.enabled or settings.completion.items == "off":
        return True
    return inside(snapshot, spot.offset) is not Inside.CODE or excluded(
        snapshot, settings.completion
    )


def _is_fresh(seen: Seen, snapshot: Snapshot) -> bool:
    if seen.text is snapshot.text:
        return bool(seen.symbols) or snapshot.tree is None
    return abs(len(seen.text) - len(snapshot.text)) <= STALE_CHARS


def _members(
    receiver: str, here: Seen, elsewhere: Sequence[tuple[str, Seen]], more: Iterable[str]
) -> Iterator[str]:
    """Yield members of the same receiver, then of any: this file's first, the usual ones first."""
    texts = [here, *(seen for _, seen in elsewhere)]
    for seen in texts:
        for name, _ in seen.names.members.get(receiver, _NOTHING).most_common():
            yield name
    for seen in texts:
        yield from (symbol.name for symbol in seen.symbols if symbol.kind == "method")
        yield from chain.from_iterable(seen.names.members.values())
        if seen is here:
            yield from more


def _words(
    near: Iterable[str],
    here: Seen,
    elsewhere: Sequence[tuple[str, Seen]],
    more: Iterable[str],
) -> Iterator[str]:
    """Yield near words, then what is defined anywhere, then all other words."""
    yield from near
    yield from (symbol.name for symbol in here.symbols)
    for _, seen in elsewhere:
        yield from (symbol.name for symbol in seen.symbols)
    yield from more
    yield from here.names.words
    for _, seen in elsewhere:
        yield from seen.names.words


def _defined(texts: Sequence[tuple[str, Seen]]) -> dict[str, tuple[str, Symbol]]:
    """Return where names are defined: in the first of the texts that do so."""
    defined: dict[str, tuple[str, Symbol]] = {}
    for uri, seen in reversed(texts):
        defined |= {symbol.name: (uri, symbol) for symbol in seen.symbols}
    return defined


def _items(
    spot: Spot,
    names: Iterable[str],
    defined: Mapping[str, tuple[str, Symbol]],
    more: Mapping[str, str],
) -> Iterator[Item]:
    """Yield each name that goes on with what was typed once, with where it is defined."""
    start = spot.typed.casefold()
    # The half-typed word itself was counted when the text was looked through.
    done = {spot.typed}
    for name in names:
        if name in done or len(name) < 2 or not name.casefold().startswith(start):
            continue
        done.add(name)
        yield _item(name, spot, defined, more)
        if len(done) > MAX_ITEMS:
            return


def _item(
    name: str, spot: Spot, defined: Mapping[str, tuple[str, Symbol]], more: Mapping[str, str]
) -> Item:
    if name in defined:
        uri, symbol = defined[name]
        return Item(name, symbol.kind, uri, symbol.name_start)
    return Item(name, more.get(name, WORD if spot.receiver is None else MEMBER))


async def _rank(found: Items, snapshot: Snapshot, memory: Memory | None, engine: Engine) -> Items:
    """Let the model order the first items, if it has read the file and has the time."""
    candidates, rest = found.items[:RANKED_ITEMS], found.items[RANKED_ITEMS:]
    prompt = _known_prompt(snapshot, found.spot, memory, engine)
    if prompt is None or len(candidates) < 2:
        return found
    try:
        async with asyncio.timeout(RANK_S):
            logprobs = await engine.rank(
                prompt,
                [item.text for item in candidates],
                max_tokens=tokens_within(READ_S, engine.status.profile),
                priority=Priority.ITEMS,
            )
    except (TimeoutError, FimbleError):
        return found
    order = sorted(range(len(candidates)), key=lambda index: -logprobs[index])
    best = logprobs[order[0]]
    share = 1 / sum(exp(logprob - best) for logprob in logprobs)
    ranked = tuple(candidates[index] for index in order)
    return replace(found, items=ranked + rest, is_sure=share >= SURE, ranked=True)


def _known_prompt(
    snapshot: Snapshot, spot: Spot, memory: Memory | None, engine: Engine
) -> Prompt | None:
    """Return the prompt up to the word if the model has read all of it but the last line or so."""
    info = engine.status.info
    if memory is None or memory.layout is None or info is None:
        return None
    _, after = warm(snapshot, spot.offset, memory, engine)
    layout = after.layout
    if layout is None or not layout.is_like(memory.layout) or not layout.delta.endswith(spot.typed):
        return None
    return prompt_for(replace(layout, delta=layout.delta.removesuffix(spot.typed)), info)


def tokens_within(seconds: float, profile: Profile | None) -> int:
    """Return how many tokens of names one batch may have, after the step that ends the prompt."""
    if profile is None or not profile.decode_rate:
        return UNMEASURED_TOKENS
    left = seconds * profile.decode_rate - 1
    costs = profile.batch_costs or range(1, RANKED_ITEMS)
    return sum(cost <= left for cost in costs)
