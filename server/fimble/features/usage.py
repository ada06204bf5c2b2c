"""What the project knows of names: how they are defined, and how what is yet to be written is used.

The file itself is asked first, then the open files, then the workspace's index.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from fimble.features.unaided import QUOTED, UNKNOWN
from fimble.source.around import defined_within, import_lines, line_start
from fimble.source.identifiers import identifiers

if TYPE_CHECKING:
    from fimble.check.command import Problem
    from fimble.features.offer import Elsewhere, Task

MAX_LINES: Final = 4
MAX_CHARS: Final = 160
MAX_DEFINITIONS: Final = 3
"""Definitions of the file, and files with definitions, that the model reads."""
DEFINITION_LINES: Final = 6


@dataclass(frozen=True, slots=True)
class Usage:
    """Code of elsewhere that tells what is meant: definitions, and lines that use something."""

    defined: str = ""
    used: str = ""


async def usage(
    task: Task, names: Sequence[str], start: int, end: int, seen: tuple[int, int]
) -> Usage:
    """Say what is known of what is used between two offsets, and which lines call ``names``.

    What the file imports may be needed there, so that counts as used; ``seen`` is the range that
    the model sees anyway. Of the calls those in the file itself come first, but not what lies
    between the offsets; then those of open files in its language, then those of others, tests
    first. They tell parameters and results.
    """
    snapshot = task.snapshot
    imports = " ".join(import_lines(snapshot, task.languages))
    about = identifiers(f"{snapshot.text[start:end]} {imports}")
    elsewhere = await task.elsewhere(about, names)
    found = dict.fromkeys(_lines(task, names, start, end) if names else ())
    found |= dict.fromkeys(line for line in elsewhere.uses if len(line) <= MAX_CHARS)
    used = "\n".join(islice(found, MAX_LINES))
    return Usage(await _told(task, about, seen, elsewhere), used)


async def definitions(task: Task, names: Sequence[str], seen: tuple[int, int]) -> str:
    """Return how the names are defined, where the model does not see it in the range ``seen``.

    Each is the beginning of a definition in the file itself, or signatures of another file below
    a comment with its path; all end with an empty line.
    """
    return await _told(task, names, seen, await task.elsewhere(names))


async def _told(
    task: Task, names: Sequence[str], seen: tuple[int, int], elsewhere: Elsewhere
) -> str:
    snapshot, end = task.snapshot, len(task.snapshot.text)
    # Of a long file this takes a while; somebody may be typing.
    known = await asyncio.to_thread(defined_within, snapshot, task.languages, 0, end)
    first = {symbol.name: symbol for symbol in reversed(known)}
    own: list[str] = []
    for name in names:
        symbol = first.get(name)
        if symbol is None or seen[0] <= symbol.start < seen[1]:
            continue
        start = line_start(snapshot, symbol.start)
        lines = snapshot.text[start : symbol.end].splitlines()
        own.append("\n".join(lines[:DEFINITION_LINES]))
    mark = snapshot.language.line_comment or ""
    far = [f"{mark} {one.path}\n{one.text}".lstrip() for one in elsewhere.definitions]
    chosen = (*own[:MAX_DEFINITIONS], *far[:MAX_DEFINITIONS])
    return "".join(f"{one}\n\n" for one in chosen)


def _lines(task: Task, names: Sequence[str], start: int, end: int) -> Iterator[str]:
    snapshot = task.snapshot
    others = [
        one.text
        for one in task.opened.values()
        if one.uri != snapshot.uri and one.language.id == snapshot.language.id
    ]
    call = re.compile(rf"^.*\b(?:{'|'.join(map(re.escape, names))})\(.*$", re.MULTILINE)
    for text in (snapshot.text[:start], snapshot.text[end:], *others):
        for match in call.finditer(text):
            line = match[0].strip()
            if len(line) <= MAX_CHARS:
                yield line


def missing(problems: Sequence[Problem] | None) -> tuple[str, ...]:
    """Return the names that a checker does not find: somebody is to write them."""
    said = (one.message for one in problems or () if UNKNOWN.search(one.message))
    return tuple(dict.fromkeys(name for message in said for name in QUOTED.findall(message)))
