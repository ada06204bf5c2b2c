"""Find where code is not what the model expected, function by function, and without a linter.

Each function is read in one pass between what stands before and behind it, so that a docstring on
either side helps. A token counts by how much likelier the model holds another one; of a line its
worst token counts. A replacement is offered only if it parses and brings in no unknown names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fimble.engine.messages import Priority
from fimble.features.offer import Diagnostic, Look, Offer, Outcome, Task
from fimble.features.writing import infill, is_sound, write
from fimble.source.around import Definition, definitions, enclosing, lexical, line_end, line_start
from fimble.source.edits import Edit

if TYPE_CHECKING:
    from fimble.engine.base import Engine
    from fimble.engine.messages import Prompt, Surprise
    from fimble.source.languages import Languages
    from fimble.source.text import Snapshot

KIND: Final = "source.fimble.review"
CODE: Final = "unexpected"
SOURCE: Final = "fimble"
MAX_FUNCTIONS: Final = 20
MAX_FUNCTION_CHARS: Final = 6000
MAX_HINTS: Final = 3
"""For each function."""
MIN_GAIN: Final = 4.0
"""How much likelier, as a natural logarithm, the model must hold something else. Of the 20 bugs of
QuixBugs in Python the 0.5B has 14 among the first three lines, 8 first, all with 4.5 or more."""
SPACE_WEIGHT: Final = 0.25
"""Where a statement could as well have ended, or a blank line stood, says little of bugs."""
MAX_TOKENS: Final = 48
NOTHING: Final = "Nothing here is unexpected."
_WORD: Final = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Hint:
    """A token that the model did not expect.

    ``gain`` is the log-likelihood ratio of what it would have written. ``edit`` puts that in the
    place of the rest of the line, if it may be offered.
    """

    start: int
    end: int
    gain: float
    edit: Edit | None = None


def offers(look: Look) -> Iterator[Offer]:
    """Offer a review of the function around the place, or of the file."""
    if _functions(look.snapshot, look.languages, look.start, look.end):
        yield Offer(KIND, "Review: mark what is unexpected", look.start, look.end)


async def make(task: Task) -> Outcome:
    """Review; nothing is edited."""
    offer, snapshot = task.offer, task.snapshot
    hints = await review(snapshot, task.languages, (offer.start, offer.end), task.engine)
    found = tuple(_diagnostic(snapshot, one) for one in hints)
    return Outcome(message="" if found else NOTHING, found=found)


async def review(
    snapshot: Snapshot, languages: Languages, span: tuple[int, int], engine: Engine
) -> tuple[Hint, ...]:
    """Return the least expected places of the functions in ``span``, the worst first.

    An empty span means the function around it, or the file where there is none. Raises
    `EngineError` when there is nobody to ask.
    """
    hints: list[Hint] = []
    for function in _functions(snapshot, languages, *span):
        doubts = await doubted(snapshot, languages, function, engine)
        hints += [
            replace(doubt, edit=await _better(snapshot, function, doubt, engine))
            for doubt in doubts[:MAX_HINTS]
        ]
    return tuple(sorted(hints, key=lambda hint: -hint.gain))


async def doubted(
    snapshot: Snapshot, languages: Languages, function: Definition, engine: Engine
) -> list[Hint]:
    """Return the worst token of each line that has one bad enough, the worst first."""
    start, end = function.start, function.end
    text = snapshot.text[start:end]
    prompt = _before(snapshot, function, engine)
    surprises = await engine.surprise(prompt, text, priority=Priority.ACTION)
    quiet = [(span.start, span.end) for span in lexical(snapshot, languages, start, end)]
    worst: dict[int, Hint] = {}
    for one in surprises:
        hint = _hint(text, start, one)
        inside = any(first < hint.end and hint.start < last for first, last in quiet)
        line = snapshot.line_of(hint.start)
        if inside or hint.gain < MIN_GAIN:
            continue
        if line not in worst or hint.gain > worst[line].gain:
            worst[line] = hint
    return sorted(worst.values(), key=lambda hint: (-hint.gain, hint.start))


def _hint(text: str, start: int, one: Surprise) -> Hint:
    """Return a token without its white space, and what it counts."""
    token = text[one.start : one.end]
    bare = token.strip()
    gain = one.best_logprob - one.logprob
    if not (bare and one.best_text.strip()):
        gain *= SPACE_WEIGHT
    first = start + one.start + len(token) - len(token.lstrip())
    return Hint(min(first, start + one.end), start + one.end, gain)


def _before(snapshot: Snapshot, function: Definition, engine: Engine, end: int = 0) -> Prompt:
    """Return the prompt behind which the function stands, or what it has up to ``end``."""
    prompt = infill(snapshot, function.start, function.end, engine)
    parts = prompt.parts
    return replace(prompt, parts=(*parts, snapshot.text[function.start : end]) if end else parts)


async def _better(
    snapshot: Snapshot, function: Definition, doubt: Hint, engine: Engine
) -> Edit | None:
    """Return what the model would write from the doubted token to the end of its line."""
    prompt = _before(snapshot, function, engine, doubt.start)
    text = await write(engine, prompt, MAX_TOKENS, lambda written: "\n" in written.lstrip("\n"))
    new = text.strip("\n").partition("\n")[0].rstrip()
    last = line_end(snapshot, doubt.start)
    old = snapshot.text[doubt.start : last]
    known = set(_WORD.findall(snapshot.text))
    if not new.strip() or new == old.rstrip() or not known.issuperset(_WORD.findall(new)):
        return None
    edit = Edit(doubt.start, last, new)
    return edit if await is_sound(snapshot, edit) else None


def _functions(
    snapshot: Snapshot, languages: Languages, start: int, end: int
) -> tuple[Definition, ...]:
    """Return the functions that a range is about, none of them inside another."""
    if around := enclosing(snapshot, languages, start, end, callable_only=True):
        return (around,)
    whole = start == end
    found = (
        enclosing(snapshot, languages, one.name_start, one.name_start, callable_only=True)
        for one in definitions(snapshot, languages)
        if whole or (one.start < end and one.end > start)
    )
    return tuple(_outermost(one for one in found if one))[:MAX_FUNCTIONS]


def _outermost(found: Iterable[Definition]) -> Iterator[Definition]:
    last = -1
    for one in sorted(set(found), key=lambda one: (one.start, -one.end)):
        if one.start >= last and one.end - one.start <= MAX_FUNCTION_CHARS:
            yield one
            last = one.end


def _diagnostic(snapshot: Snapshot, hint: Hint) -> Diagnostic:
    """Return a hint as it is shown; the replacement goes along as related information."""
    word = snapshot.text[hint.start : hint.end]
    message = f"`{word}` is unexpected here."
    if hint.edit is None:
        return Diagnostic(hint.start, hint.end, message, CODE, SOURCE)
    line = snapshot.text[line_start(snapshot, hint.start) : hint.start] + hint.edit.text
    message += f" Fimble would write: {line.strip()}"
    return Diagnostic(hint.start, hint.end, message, CODE, SOURCE, (hint.edit.text,))
