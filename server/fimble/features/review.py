"""Find where code is not what the model expected, function by function, and without a linter.

Each body is read in one pass between what stands before and behind the function, so that a
docstring on either side helps. A token counts by how much likelier the model holds another one, and
how sure it is of that; of a line its worst token counts, and the worst lines are shown. What the
model would write there comes along if it parses and brings in no unknown names.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import islice
from math import exp
from typing import TYPE_CHECKING, Final

from fimble.engine.messages import Priority
from fimble.features.offer import SOURCE, Diagnostic, Look, Offer, Outcome, Task
from fimble.features.writing import answers, infill, is_sound
from fimble.prompt.fim import unix
from fimble.prompt.layout import Budget
from fimble.source.around import (
    enclosing,
    functions,
    is_new_name,
    lexical,
    line_end,
    line_start,
)
from fimble.source.edits import Edit

if TYPE_CHECKING:
    from fimble.engine.messages import Prompt, Surprise
    from fimble.source.around import Definition

KIND: Final = "source.fimble.review"
CODE: Final = "unexpected"
MAX_FUNCTIONS: Final = 20
MAX_FUNCTION_CHARS: Final = 6000
"""About 2,000 tokens: 10 s for the 0.5B on two cores."""
MAX_LOOKED: Final = 20_000
"""Characters of a file in which a function is looked for when actions are listed."""
MAX_HINTS: Final = 3
"""For each function; another text is written for each: a second for the 0.5B on two cores."""
AROUND: Final = Budget(prefix=1400, suffix=1500)
"""Characters on either side of a function that are read, more behind than for other actions: there
may be a text that says what it is for."""
MIN_WEIGHT: Final = 1.0
"""The least weight of a doubt that is looked into.

Chosen on ten programs of QuixBugs in Python with the 0.5B: the smallest that kept every mistake
among the first three. docs/actions.md has what comes of it on other rows and with the 1.5B.
"""
MIN_GAIN: Final = -2.0
"""How much likelier, as a natural logarithm, the rest of the function must be with the other text;
below 0 it may be less likely. Of 36 alarms in the 20 programs without their mistakes, 17 are left
with it, with the check for names and with parsing (0.5B)."""
LOOK_ON: Final = 20
"""Characters behind a token that tell whether the text goes on as the model would."""
MAX_TOKENS: Final = 48
NOTHING: Final = "Nothing here is unexpected."
NO_FUNCTION: Final = "There is no function here that is short enough to review."
_WORD: Final = re.compile(r"[^\W\d]\w*")
_CHARACTER: Final = re.compile(r"\r\n|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A token that the model did not expect.

    ``weight`` is the log-likelihood ratio of what it would have written, times the probability of
    that: who has many ideas doubts little. ``rest`` is the log-probability of the function from
    this token on.
    """

    start: int
    end: int
    weight: float
    rest: float


@dataclass(frozen=True, slots=True)
class Hint:
    """A doubt, and the text that the model would write instead of the rest of its line."""

    doubt: Doubt
    edit: Edit


def offers(look: Look) -> Iterator[Offer]:
    """Offer a review of the function around the range, else of those in it, else of the file."""
    snapshot, languages = look.snapshot, look.languages
    around = enclosing(snapshot, languages, look.start, look.end, callable_only=True)
    if around is not None:
        title = f"Review {around.name}: mark what is unexpected"
        yield Offer(KIND, title, around.start, around.end)
        return
    start, end = look.start, look.end
    if start == end:
        start, end = 0, len(snapshot.text)
    if any(functions(snapshot, languages, start, min(end, start + MAX_LOOKED))):
        yield Offer(KIND, "Review: mark what is unexpected", start, end)


async def make(task: Task) -> Outcome:
    """Find hints; nothing is edited."""
    snapshot, offer = task.snapshot, task.offer
    found = functions(snapshot, task.languages, offer.start, offer.end)
    short = (one for one in found if one.end - one.start <= MAX_FUNCTION_CHARS)
    wanted = list(islice(short, MAX_FUNCTIONS))
    if not wanted:
        return Outcome(message=NO_FUNCTION)
    hints: list[Hint] = []
    for number, function in enumerate(wanted):
        task.report(function.name, number / len(wanted))
        hints += [hint async for hint in suspects(task, function)]
    hints.sort(key=lambda hint: -hint.doubt.weight)
    told = tuple(_diagnostic(task, hints, rank) for rank in range(len(hints)))
    return Outcome(message="" if told else NOTHING, found=told)


async def suspects(task: Task, function: Definition) -> AsyncGenerator[Hint, None]:
    """Yield what should be looked at in a function, the worst first.

    Raises `EngineError` when there is nobody to ask.
    """
    doubts = await doubted(task, function)
    for doubt in doubts[:MAX_HINTS]:
        hint = await _hint(task, function, doubt)
        if hint is not None:
            yield hint


async def doubted(task: Task, function: Definition) -> list[Doubt]:
    """Return the worst token of each line that has a bad one, the worst first.

    Comments and strings are not judged, and what to call something new is a matter of taste; so
    is what stands above the body.
    """
    snapshot, start, end = task.snapshot, function.start, function.end
    text = snapshot.text[start:end]
    surprises = await _judged(task, _before(task, function, start), text)
    places = [start + one.start() for one in _CHARACTER.finditer(text)]
    quiet = lexical(snapshot, task.languages, start, end)
    body = function.body_start if function.body_start < end else start
    worst: dict[int, Doubt] = {}
    rest = 0.0
    for one in reversed(surprises):
        rest += one.logprob
        doubt = _doubt(snapshot.text, places, one, rest)
        if doubt.weight < MIN_WEIGHT or doubt.start < body or is_new_name(snapshot, doubt.end - 1):
            continue
        if any(span.start < doubt.end and doubt.start < span.end for span in quiet):
            continue
        line = snapshot.line_of(doubt.start)
        if line not in worst or doubt.weight >= worst[line].weight:
            worst[line] = doubt
    return sorted(worst.values(), key=lambda doubt: (-doubt.weight, doubt.start))


def _doubt(text: str, places: list[int], one: Surprise, rest: float) -> Doubt:
    """Return a token without the white space before it, and what it counts.

    ``places`` are those of the characters that the model saw.
    """
    start, end = places[one.start], places[one.end - 1] + 1
    bare = text[start:end].lstrip()
    best = _squeezed(one.best_text)
    # Another way to lay out the same code is none.
    same = bool(best) and _squeezed(text[start : end + LOOK_ON]).startswith(best)
    gain = 0.0 if same or not bare else one.best_logprob - one.logprob
    return Doubt(end - len(bare) if bare else start, end, gain * exp(one.best_logprob), rest)


async def _hint(task: Task, function: Definition, doubt: Doubt) -> Hint | None:
    """Return what the model would write to the end of the line, if that may be offered."""
    snapshot = task.snapshot
    prompt = _before(task, function, doubt.start)
    written = answers(task, (prompt,), MAX_TOKENS, lambda text: "\n" in text)
    async with aclosing(written) as texts:
        new = (await anext(texts, "")).partition("\n")[0].rstrip()
    end = line_end(snapshot, doubt.start)
    old = snapshot.text[doubt.start : end]
    known = set(_WORD.findall(snapshot.text))
    if _squeezed(new) in {"", _squeezed(old)} or not known.issuperset(_WORD.findall(new)):
        return None
    edit = Edit(doubt.start, end, new)
    if not await is_sound(snapshot, edit):
        return None
    after = await _judged(task, prompt, new + snapshot.text[end : function.end])
    gain = sum(one.logprob for one in after) - doubt.rest
    return Hint(doubt, edit) if gain >= MIN_GAIN else None


def _before(task: Task, function: Definition, end: int) -> Prompt:
    """Return the prompt behind which the function stands, with its text up to ``end``."""
    place = (task.snapshot, function.start, function.end)
    prompt = infill(*place, task.engine, budget=AROUND)
    written = unix(task.snapshot.text[function.start : end])
    return replace(prompt, parts=(*prompt.parts, written)) if written else prompt


async def _judged(task: Task, prompt: Prompt, text: str) -> tuple[Surprise, ...]:
    return await task.engine.surprise(prompt, unix(text), priority=Priority.ACTION)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _diagnostic(task: Task, hints: list[Hint], rank: int) -> Diagnostic:
    """Return a hint as it is shown; the replacement goes along as related information."""
    snapshot, hint = task.snapshot, hints[rank]
    start, end = hint.doubt.start, hint.doubt.end
    line = snapshot.text[line_start(snapshot, start) : start] + hint.edit.text
    place = f" ({rank + 1} of {len(hints)})" if len(hints) > 1 else ""
    message = (
        f"`{snapshot.text[start:end].strip()}` is unexpected here{place}. "
        f"Fimble would write: {line.strip()}"
    )
    return Diagnostic(start, end, message, CODE, SOURCE, (hint.edit.text,))
