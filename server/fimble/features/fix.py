"""Mend what a diagnostic is about, and check that it is gone before the edit is offered."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from fimble.check.command import Problem
from fimble.check.place import indent, width
from fimble.features.examples import FAILS, can_run, examples_failure, told_of
from fimble.features.mend import FEW_LINES, function_anew, function_around
from fimble.features.offer import SOURCE, Diagnostic, Look, Offer, Outcome, Task
from fimble.features.unaided import QUOTED, SPARE, without_model
from fimble.features.usage import definitions
from fimble.features.writing import (
    NEARBY,
    answers,
    check,
    infill,
    is_sound,
    missing_imports,
    with_newlines,
)
from fimble.prompt.fim import unix
from fimble.source.around import line_end, line_start
from fimble.source.edits import Edit, applied, line_edits
from fimble.source.identifiers import identifiers
from fimble.source.text import Snapshot
from fimble.source.tree import error_count

KIND: Final = "quickfix.fimble"
KIND_ALL: Final = f"{KIND}.all"
MAX_OFFERS: Final = 3
MAX_ROUNDS: Final = 3
MAX_TOKENS: Final = 96
MAX_ALL: Final = 20
TITLE_CHARS: Final = 60
NOTHING: Final = "No fix was found that passes the checks."
_QUIETED: Final = re.compile(
    r"\bnoqa\b|type:\s*ignore|pylint:|\bnolint\b|eslint-disable|@ts-|@SuppressWarnings|\bNOLINT\b"
)
"""Ways to silence a checker instead of mending the code."""
_SAID: Final = "(?:wrong|before|after):"
"""How the lines of our hint begin, see `_hint`."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the checkers say of the file as it is; None: there is no checker."""

    errors: int
    found: tuple[Problem, ...] | None


def offers(look: Look) -> Iterator[Offer]:
    """Offer a fix for each diagnostic, and one for all of its kind where it can be checked."""
    language = look.snapshot.language
    told = [one for one in look.diagnostics if one.source != SOURCE]
    for one in told[:MAX_OFFERS]:
        message = " ".join(one.message.split())
        short = message if len(message) <= TITLE_CHARS else f"{message[: TITLE_CHARS - 1]}…"
        yield Offer(KIND, f"Fix: {short}", one.start, one.end, (one,))
    has_checker = language.checkers or language.id in look.settings.actions.checkers
    codes = [one for one in told if one.code]
    if codes and has_checker:
        one = codes[0]
        yield Offer(KIND_ALL, f"Fix all {one.code} in this file", one.start, one.end, (one,))


async def make(task: Task) -> Outcome:
    """Make the edit; nothing that fails a check is ever returned."""
    if not task.offer.diagnostics:
        return Outcome(message=NOTHING)
    if task.offer.kind == KIND_ALL:
        return await _make_all(task)
    return await _make_one(task, await check(task, task.snapshot.text))


async def _make_one(task: Task, found: tuple[Problem, ...] | None) -> Outcome:
    """Return the first candidate that passes; ``found`` is what the checker says now."""
    diagnostic = task.offer.diagnostics[0]
    before = Before(_errors(task.snapshot), found)
    tried: set[str] = set()
    unproven: Outcome | None = None
    function = function_around(task, diagnostic)
    told = "" if function is None else told_of(task, function)
    # The user may have to be asked; the model writes meanwhile.
    allowed = asyncio.create_task(can_run(task, told))
    task.report("looking for a fix", 0.1)
    try:
        async for edits in _candidates(task, diagnostic, before, tried):
            task.report("checking a fix", 0.3 + 0.6 * len(tried) / (len(tried) + 2))
            verdict = await _judge(task, diagnostic, before, edits)
            if verdict is False:
                continue
            outcome = Outcome(_small(task.snapshot, edits), verified=verdict is True)
            if function is None or not await allowed:
                # What cannot be checked cannot be chosen from either: the likeliest comes first.
                return outcome
            failure = await examples_failure(task, function.name, edits, told)
            if not failure:
                return replace(outcome, verified=failure is not None)
            unproven = unproven or replace(outcome, message=FAILS, verified=False)
    finally:
        allowed.cancel()
    return unproven or Outcome(message=NOTHING)


async def _make_all(task: Task) -> Outcome:
    """Mend one after the other; those that cannot be mended stay, which is said."""
    wanted = task.offer.diagnostics[0].code
    snapshot = await task.snapshot.parse_in_slices()
    skipped = total = 0
    for tries in range(MAX_ALL + 1):
        found = await check(task, snapshot.text)
        left = [one for one in found or () if one.code == wanted]
        total = total or len(left)
        if len(left) <= skipped or tries == MAX_ALL:
            break
        done = total - len(left)
        task.report(f"{done + skipped} of {total}", (done + skipped) / total)
        one = _diagnostic(snapshot, left[skipped])
        offer = Offer(KIND, "", one.start, one.end, (one,))
        quiet = replace(task, snapshot=snapshot, offer=offer, report=lambda _words, _done: None)
        outcome = await _make_one(quiet, found)
        if not (outcome.edits and outcome.verified):
            skipped += 1
            continue
        text = applied(snapshot.text, outcome.edits)
        snapshot = snapshot.splice(0, len(snapshot.text), text, snapshot.version)
        snapshot = await snapshot.parse_in_slices()
    edits = line_edits(task.snapshot.text, snapshot.text)
    if not edits:
        return Outcome(message=NOTHING)
    message = f"{total - len(left)} of {total} were mended." if left else ""
    return Outcome(edits, message, verified=found is not None and not left)


async def _candidates(
    task: Task, diagnostic: Diagnostic, before: Before, tried: set[str]
) -> AsyncIterator[tuple[Edit, ...]]:
    """Yield ways to mend it, the cheapest first; the model writes only if it has to."""
    snapshot = task.snapshot
    if before.found is not None:
        for edits in without_model(task, diagnostic, *_lines(snapshot, diagnostic)):
            text = applied(snapshot.text, edits)
            if text != snapshot.text and text not in tried:
                tried.add(text)
                yield edits
    function = function_around(task, diagnostic)
    if function is None:
        found = _lines_anew(task, diagnostic, before, tried)
    else:
        found = function_anew(task, function, diagnostic, tried)
    async with aclosing(found):
        async for edits in found:
            yield edits


async def _lines_anew(
    task: Task, diagnostic: Diagnostic, before: Before, tried: set[str]
) -> AsyncGenerator[tuple[Edit, ...], None]:
    """Yield the lines as the model would write them in their place, knowing what is wrong."""
    snapshot = task.snapshot
    notes = [diagnostic.message, *diagnostic.related]
    first, last = _lines(snapshot, diagnostic)
    line = snapshot.text[first:last]
    names = dict.fromkeys((*identifiers(line), *QUOTED.findall(diagnostic.message)))
    seen = (diagnostic.start - NEARBY.prefix, diagnostic.start + NEARBY.suffix)
    context = await definitions(task, tuple(names), seen)
    space, count = indent(line), line.count("\n") + 1
    place = infill(snapshot, first, last, task.engine, context=context)
    mark = snapshot.language.line_comment
    said = re.compile(rf"\s*{re.escape(mark)} ?{_SAID}" if mark else "(?!)")
    heard: set[str] = set()
    for _ in range(MAX_ROUNDS):
        known = len(heard)
        lead = unix(space + _hint(snapshot, notes, line, space))
        # What stands before the hint stays as it was read.
        prompt = replace(place, parts=(*place.parts, lead)) if lead else place
        done = _has_lines(count, said)
        async for text in answers(task, (prompt,), MAX_TOKENS, done, line.lstrip(), whole=True):
            if said.match(text):
                continue
            new = with_newlines(snapshot, space + _kept(_awake(snapshot, text, line), count, space))
            edit = Edit(first, last, new)
            whole = applied(snapshot.text, [edit])
            if whole in tried or whole == snapshot.text:
                continue
            tried.add(whole)
            yield (*missing_imports(task, new), edit)
            for one in await _complaints(task, whole, before):
                heard.add(_bare(one))
                notes.append(f"{new.strip()}: {one}")
        # Without a complaint that is new, the model would say the same again.
        if len(heard) == known:
            return


async def _complaints(task: Task, text: str, before: Before) -> list[str]:
    """Return what the checker has against a candidate, for the model to read."""
    found = await check(task, text) or ()
    return [one.message for one in found if _is_new(one, before)][:1]


def _has_lines(count: int, said: re.Pattern[str]) -> Callable[[str], bool]:
    """Return the stop rule for so many lines; what goes on with the hint is no answer."""
    return lambda text: text.count("\n") >= count or bool(said.match(text))


def _awake(snapshot: Snapshot, text: str, line: str) -> str:
    """Return code without the comment marks that the model copies from the hint above it."""
    mark = snapshot.language.line_comment
    if mark is None or line.lstrip().startswith(mark):
        return text
    return re.sub(rf"^([ \t]*){re.escape(mark)} ?", r"\1", text, flags=re.MULTILINE)


def _hint(snapshot: Snapshot, notes: list[str], line: str, space: str) -> str:
    """Tell the model, in comments that are not kept, what is wrong with the line."""
    mark = snapshot.language.line_comment
    if mark is None:
        return ""
    said = [f"{mark} wrong: {' '.join(one.split())[:200]}" for one in notes[-3:]]
    said += [f"{mark} before: {' '.join(line.split())}", f"{mark} after:"]
    return "".join(f"{one}{snapshot.newline}{space}" for one in said)


def _kept(text: str, count: int, space: str) -> str:
    """Return as many lines as were wrong, and of more only what is deeper."""
    lines = text.split("\n")
    kept = lines[:count]
    for line in lines[count:]:
        if not line.strip() or width(line) <= width(space + "x"):
            break
        kept.append(line)
    return "\n".join(kept).strip()


async def _judge(
    task: Task, diagnostic: Diagnostic, before: Before, edits: tuple[Edit, ...]
) -> bool | None:
    """Tell whether the fix is right: True if that was checked, None if it cannot be."""
    snapshot = task.snapshot
    main = edits[-1]
    if _QUIETED.search(main.text) and not _QUIETED.search(snapshot.text[main.start : main.end]):
        return False
    if not _is_spare(diagnostic) and not main.text.strip():
        return False
    if not await is_sound(snapshot, main, edits[:-1]):
        return False
    text = applied(snapshot.text, edits)
    if before.errors and _is_syntax(snapshot, diagnostic):
        after = await snapshot.splice(0, len(snapshot.text), text, 0).parse_in_slices()
        return after.tree is not None and error_count(after.tree) < before.errors
    return _is_gone(snapshot, diagnostic, before, await check(task, text))


def _is_gone(
    snapshot: Snapshot,
    diagnostic: Diagnostic,
    before: Before,
    found: tuple[Problem, ...] | None,
) -> bool | None:
    """Tell whether the checker no longer says what it said there, and says nothing new."""
    if found is None or before.found is None:
        return None
    old, new = Counter(map(_key, before.found)), Counter(map(_key, found))
    was = {_key(one) for one in _meant(snapshot, before.found, diagnostic)}
    if new - old:
        return False
    return any(key in old - new for key in was) if was else None


def _key(problem: Problem) -> tuple[str, str]:
    return problem.code, _bare(problem.message)


def _bare(message: str) -> str:
    """Return a message without what changes when other lines do."""
    return re.sub(r"\d+", "", message)


def _is_new(problem: Problem, before: Before) -> bool:
    return before.found is None or _key(problem) not in {_key(one) for one in before.found}


def _meant(
    snapshot: Snapshot, found: tuple[Problem, ...], diagnostic: Diagnostic
) -> tuple[Problem, ...]:
    """Return what of the checker's complaints the diagnostic is; that another went proves nothing.

    Another program may have said it: in the same words, else about the same name, else by a code.
    """
    lines = range(snapshot.line_of(diagnostic.start), snapshot.line_of(diagnostic.end) + 1)
    here = [one for one in found if one.line in lines]
    words, names = _bare(diagnostic.message), set(QUOTED.findall(diagnostic.message))
    ways: tuple[Callable[[Problem], bool], ...] = (
        lambda one: _bare(one.message) == words,
        lambda one: not names.isdisjoint(QUOTED.findall(one.message)),
        lambda one: bool(one.code) and one.code == diagnostic.code,
    )
    chosen = (tuple(filter(way, here)) for way in ways)
    return next(filter(None, chosen), ())


def _is_spare(diagnostic: Diagnostic) -> bool:
    return bool(SPARE.search(diagnostic.message))


def _is_syntax(snapshot: Snapshot, diagnostic: Diagnostic) -> bool:
    if snapshot.tree is None:
        return False
    low = len(snapshot.text[: diagnostic.start].encode())
    high = len(snapshot.text[: diagnostic.end].encode())
    return error_count(snapshot.tree, low, high) > 0


def _errors(snapshot: Snapshot) -> int:
    return 0 if snapshot.tree is None else error_count(snapshot.tree)


def _lines(snapshot: Snapshot, diagnostic: Diagnostic) -> tuple[int, int]:
    """Return the diagnostic's lines; of one that spans a whole function only the first."""
    first, last = line_start(snapshot, diagnostic.start), line_end(snapshot, diagnostic.end)
    if snapshot.text[first:last].count("\n") >= FEW_LINES:
        last = line_end(snapshot, diagnostic.start)
    return first, last


def _diagnostic(snapshot: Snapshot, problem: Problem) -> Diagnostic:
    start, end = snapshot.line_range(min(max(problem.line, 0), snapshot.line_count - 1))
    return Diagnostic(start, end, problem.message, problem.code)


def _small(snapshot: Snapshot, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Return the edits by lines that really change."""
    small: list[Edit] = []
    for edit in edits:
        start = line_start(snapshot, edit.start)
        end = max(edit.end, start)
        old = snapshot.text[start:end]
        new = snapshot.text[start : edit.start] + edit.text
        small += line_edits(old, new, start)
    return tuple(small)
