"""What the actions have in common: asking the model, and judging what it wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from fimble.check.command import Problem, compiles, problems
from fimble.check.parse import parses_no_worse
from fimble.check.place import closing, indent, width
from fimble.check.stop import FENCE, SENTINEL
from fimble.engine.messages import GREEDY, Priority, Prompt, Sampling
from fimble.errors import EngineLoading
from fimble.prompt.chat import FENCE as USUAL
from fimble.prompt.chat import fence_of
from fimble.prompt.fim import prompt_for
from fimble.prompt.layout import Budget, lay_out
from fimble.source.around import import_lines, import_place
from fimble.source.edits import Edit, applied

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from fimble.engine.base import Engine
    from fimble.engine.messages import ModelInfo
    from fimble.features.offer import Task
    from fimble.source.text import Snapshot

NEARBY: Final = Budget(prefix=1400, suffix=500)
"""Characters that an action reads on either side of its place: 550 tokens, 2.5 s for the 0.5B on
two cores if nothing of it was read before."""

TEMPERATURE: Final = 0.7
"""Of all answers but the first: what the publisher of the catalogue's models recommends."""
_LAST_FENCE: Final = re.compile(r"^`{3,}\s*\Z", re.MULTILINE)
"""Small models end their answer with a short fence where it begins with a longer one."""


def infill(
    snapshot: Snapshot,
    start: int,
    end: int,
    engine: Engine,
    *,
    lead: str = "",
    context: str = "",
    budget: Budget = NEARBY,
) -> Prompt:
    """Ask for what belongs between two offsets, where ``lead`` has been written already.

    ``context`` is code from elsewhere in the file that is worth seeing.
    """
    info = model(engine)
    spliced = snapshot.splice(start, end, lead, snapshot.version)
    layout = lay_out(spliced, start + len(lead), budget, None)
    return prompt_for(replace(layout, prefix=context + layout.prefix), info)


def model(engine: Engine) -> ModelInfo:
    """Return what is known of the model; raises `EngineError` or `ModelError` without one."""
    info = engine.status.info
    if info is None:
        raise engine.status.error or EngineLoading("The model is not ready yet.", "Try again soon.")
    return info


async def answers(  # noqa: PLR0917
    task: Task,
    prompts: Sequence[Prompt | None],
    max_tokens: int,
    done: Callable[[str], bool],
    guess: str = "",
    samples: Iterable[int] | None = None,
    *,
    whole: bool = False,
) -> AsyncGenerator[str, None]:
    r"""Yield what the model writes for each prompt in turn, first greedily, then by chance.

    It writes until ``done`` says that it is enough, and only as long as somebody asks for more;
    line ends are ``\n``. ``guess`` is text that the answer may well repeat. ``samples`` are the
    draws, of which 0 is the greedy one; as many as the settings allow if they are not given.
    With ``whole``, what did not come to its end is dropped.
    """
    seen: set[str] = set()
    asked = [one for one in prompts if one is not None]
    for sample in range(task.settings.actions.candidates) if samples is None else samples:
        for prompt in asked:
            text, ended = await _answer(task.engine, prompt, max_tokens, done, guess, sample)
            if text not in seen and (ended or not whole):
                seen.add(text)
                yield text


async def _answer(  # noqa: PLR0917  (one caller, right above)
    engine: Engine,
    prompt: Prompt,
    max_tokens: int,
    done: Callable[[str], bool],
    guess: str,
    sample: int,
) -> tuple[str, bool]:
    """Return what was written, and whether that is all that the model had to say."""
    text = ""
    async with engine.generate(
        prompt,
        max_tokens=max_tokens,
        priority=Priority.ACTION,
        sampling=Sampling(temperature=TEMPERATURE, seed=sample) if sample else GREEDY,
        guess=guess,
    ) as generation:
        async for piece in generation:
            text += piece.text
            if done(text) or is_closed(prompt, text):
                break
        else:
            if generation.reason != "length":
                text = _LAST_FENCE.sub(fence_of(prompt), text)
                done(text)
    return clean(prompt, text), generation.reason != "length"


def is_closed(prompt: Prompt, text: str) -> bool:
    """Tell whether an answer has closed the fence with which it begins."""
    return bool(_end(prompt).search(text))


def clean(prompt: Prompt, text: str) -> str:
    """Cut what is no code: a fence, or a special token spelled out, and all behind it."""
    for noise in (_end(prompt), SENTINEL):
        if match := noise.search(text):
            text = text[: match.start()]
    return text.replace("\r\n", "\n").replace("\r", "\n")


def body_part(text: str, outside: int) -> str:
    """Return the lines of a body, up to the first that is indented by ``outside`` or less.

    The first line goes on a line that is there already, so it always belongs to the body.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        if line.strip() and width(line) <= outside:
            return "\n".join(lines[:number])
    return text


def definition_part(text: str, outside: int) -> str:
    """Return the lines of one definition, imports and decorators before it included.

    It ends before the first line that is indented by ``outside`` or less and neither closes what
    is open nor stands above all deeper lines.
    """
    lines = text.split("\n")
    deeper = False
    for number, line in enumerate(lines[1:], 1):
        if not line.strip():
            continue
        if width(line) > outside:
            deeper = True
        elif deeper and not closing(line):
            return "\n".join(lines[:number])
    return text


def reaches(part: Callable[[str, int], str], outside: int) -> Callable[[str], bool]:
    """Return the stop rule that goes with a way to cut: all that is wanted is there."""

    def done(text: str) -> bool:
        head, newline, _ = text.rpartition("\n")
        return bool(newline) and part(head, outside) != head

    return done


def indented(text: str, space: str) -> str:
    """Return lines that have no indentation in common with ``space`` put before each."""
    lines = text.split("\n")
    known = [indent(line) for line in lines if line.strip()]
    common = min(known, key=len, default="")
    return "\n".join(space + line.removeprefix(common) if line.strip() else "" for line in lines)


def with_newlines(snapshot: Snapshot, text: str) -> str:
    """Return the text with the line ends of the file."""
    return text.replace("\n", snapshot.newline)


def missing_imports(task: Task, code: str, before: int | None = None) -> tuple[Edit, ...]:
    """Return the lines that import what the code uses and the file does not know.

    Only names everybody knows, as the language's file lists them. They come ``before`` an offset
    if one is given.
    """
    snapshot = task.snapshot
    known = snapshot.language.imports
    words = dict.fromkeys(re.findall(r"(?<![\w.\"'])[^\W\d]\w*", code))
    lines = [
        known[word]
        for word in words
        if word in known
        and not re.search(rf"(?<![\w.]){word}\b", snapshot.text)
        # A name that the code itself binds is its own.
        and not re.search(rf"\b{word}\s*=[^=]|\bfor\s+{word}\b|\bas\s+{word}\b", code)
        and not re.search(rf"\bimport\b.*\b{word}\b", code)
        # A module is worth nothing without its members; in a comment, its name is a mere word.
        and (
            known[word] != f"import {word}"
            or code == word
            or re.search(rf"(?<![\w.]){word}\.\w", code)
        )
    ]
    there = set(import_lines(snapshot, task.languages))
    lines = [line for line in dict.fromkeys(lines) if line not in there]
    if not lines:
        return ()
    place = import_place(snapshot, task.languages)
    if before is not None:
        place = min(place, snapshot.line_starts[snapshot.line_of(before)])
    newline = snapshot.newline
    text = "".join(f"{line}{newline}" for line in lines)
    if place == len(snapshot.text) and snapshot.text and snapshot.text[-1] not in "\r\n":
        text = newline + text
    return (Edit(place, place, text if there or _is_blank(snapshot, place) else text + newline),)


def path_of(snapshot: Snapshot) -> str:
    """Return the path of the snapshot's file."""
    return unquote(urlsplit(snapshot.uri).path)


def is_file(snapshot: Snapshot) -> bool:
    """Tell whether a snapshot has a place on disk."""
    return snapshot.uri.startswith("file:")


def uri_of(snapshot: Snapshot, path: PurePosixPath) -> str:
    """Return the URI of another file on the same disk."""
    return urlunsplit(urlsplit(snapshot.uri)._replace(path=quote(path.as_posix())))


async def is_sound(snapshot: Snapshot, edit: Edit, others: tuple[Edit, ...] = ()) -> bool:
    """Tell whether an edit parses no worse, and compiles if the file did so before."""
    if not await parses_no_worse(snapshot, edit.start, edit.end, edit.text):
        return False
    language, path = snapshot.language, path_of(snapshot)
    if await compiles(language, path, applied(snapshot.text, (*others, edit))) is not False:
        return True
    return await compiles(language, path, snapshot.text) is False


async def check(task: Task, text: str) -> tuple[Problem, ...] | None:
    """Return what the language's checker says of the file if it were ``text``; None without one."""
    snapshot = task.snapshot
    checkers = task.settings.actions.checkers
    return await problems(snapshot.language, path_of(snapshot), text, checkers)


async def complaints(
    task: Task, edits: Sequence[Edit], before: Sequence[Problem] | None
) -> list[str]:
    """Return what the checker says of the file with the edits and did not say ``before``."""
    after = await check(task, applied(task.snapshot.text, edits))
    return list((_said(after) - _said(before)).elements())


def _end(prompt: Prompt) -> re.Pattern[str]:
    """Return what ends an answer: any fence, or one that is as long as that which it is in."""
    fence = fence_of(prompt)
    return FENCE if fence == USUAL else re.compile(rf"^[ \t]*{fence}", re.MULTILINE)


def _said(found: Sequence[Problem] | None) -> Counter[str]:
    return Counter(f"{one.code} {one.message}" for one in found or ())


def _is_blank(snapshot: Snapshot, offset: int) -> bool:
    return not snapshot.line_text(snapshot.line_of(offset)).strip()
