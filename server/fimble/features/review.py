"""Find where code is not what the model expected, function by function, and without a linter.

Each function is read in one pass between what stands before and behind it, so that a docstring on
either side helps. A token counts by how much likelier the model holds another one; of a line its
worst token counts. A replacement is offered only if it parses and brings in no unknown names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from fimble.engine.messages import Priority
from fimble.features.offer import SOURCE, Diagnostic, Look, Offer, Outcome, Task
from fimble.features.writing import answers, infill, is_sound
from fimble.prompt.fim import unix
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
"""For each function."""
MIN_DOUBT: Final = 2.0
"""How much likelier, as a natural logarithm, the model must hold another token."""
MAX_DOUBTS: Final = 5
"""Lines of a function for which another is written: 2 s each for the 0.5B on two cores."""
MIN_GAIN: Final = 3.0
"""How much likelier, as a natural logarithm, the function must be with the other line.

Chosen on the very programs that these figures are of, QuixBugs in Python with the 0.5B. Of 20 bugs
the line is among the hints of 11 (first in 9, and mended in 7), and there are 10 hints in the 22
correct functions: false alarms. With 2.0 it is 12 bugs and 11 false alarms, with 4.0 9 and 10, with
5.0 8 and 7, with 6.0 7 and 4. In 21 functions of HumanEval there were 4 false alarms, before new
names were left alone. Other models were not measured.
"""
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

    ``gain`` is the log-likelihood ratio of what it would have written, ``rest`` the
    log-probability of the function from this token on.
    """

    start: int
    end: int
    gain: float
    rest: float


@dataclass(frozen=True, slots=True)
class Hint:
    """A doubt, and the edit after which the rest of the function is likelier, by ``gain``."""

    start: int
    end: int
    gain: float
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
        hints += await review(task, function)
    return Outcome(
        message="" if hints else NOTHING, found=tuple(_diagnostic(task, hint) for hint in hints)
    )


async def review(task: Task, function: Definition) -> list[Hint]:
    """Return what should be looked at in a function, the worst first.

    Raises `EngineError` when there is nobody to ask.
    """
    doubts = await doubted(task, function)
    found = [await _hint(task, function, doubt) for doubt in doubts[:MAX_DOUBTS]]
    hints = [one for one in found if one is not None and one.gain >= MIN_GAIN]
    return sorted(hints, key=lambda hint: -hint.gain)[:MAX_HINTS]


async def doubted(task: Task, function: Definition) -> list[Doubt]:
    """Return the worst token of each line that has a bad one, the worst first.

    Comments and strings are not judged, and what to call something new is a matter of taste.
    """
    snapshot, start, end = task.snapshot, function.start, function.end
    text = snapshot.text[start:end]
    surprises = await _judged(task, _before(task, function, start), text)
    places = [start + one.start() for one in _CHARACTER.finditer(text)]
    quiet = lexical(snapshot, task.languages, start, end)
    worst: dict[int, Doubt] = {}
    rest = 0.0
    for one in reversed(surprises):
        rest += one.logprob
        doubt = _doubt(snapshot.text, places, one, rest)
        if doubt.gain < MIN_DOUBT or is_new_name(snapshot, doubt.end - 1):
            continue
        if any(span.start < doubt.end and doubt.start < span.end for span in quiet):
            continue
        line = snapshot.line_of(doubt.start)
        if line not in worst or doubt.gain >= worst[line].gain:
            worst[line] = doubt
    return sorted(worst.values(), key=lambda doubt: (-doubt.gain, doubt.start))


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
    return Doubt(end - len(bare) if bare else start, end, gain, rest)


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
    return Hint(doubt.start, doubt.end, gain, edit)


def _before(task: Task, function: Definition, end: int) -> Prompt:
    """Return the prompt behind which the function stands, with its text up to ``end``."""
    prompt = infill(task.snapshot, function.start, function.end, task.engine)
    written = unix(task.snapshot.text[function.start : end])
    return replace(prompt, parts=(*prompt.parts, written)) if written else prompt


async def _judged(task: Task, prompt: Prompt, text: str) -> tuple[Surprise, ...]:
    return await task.engine.surprise(prompt, unix(text), priority=Priority.ACTION)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _diagnostic(task: Task, hint: Hint) -> Diagnostic:
    """Return a hint as it is shown; the replacement goes along as related information."""
    snapshot = task.snapshot
    line = snapshot.text[line_start(snapshot, hint.start) : hint.start] + hint.edit.text
    message = (
        f"`{snapshot.text[hint.start : hint.end].strip()}` is unexpected here. "
        f"Fimble would write: {line.strip()}"
    )
    return Diagnostic(hint.start, hint.end, message, CODE, SOURCE, (hint.edit.text,))
