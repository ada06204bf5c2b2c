"""How something that is yet to be written is used: lines of its own file and of the open ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from fimble.features.unaided import QUOTED, UNKNOWN

if TYPE_CHECKING:
    from fimble.check.command import Problem
    from fimble.features.offer import Task

MAX_LINES: Final = 4
MAX_CHARS: Final = 160


def uses(task: Task, names: Sequence[str], start: int, end: int) -> str:
    """Return lines that call one of ``names``, which tells their parameters and results.

    Those of the file itself come first, but not what lies between ``start`` and ``end``; then
    those of open files in its language, tests among them.
    """
    if not names:
        return ""
    found = dict.fromkeys(_lines(task, names, start, end))
    return "\n".join(islice(found, MAX_LINES))


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
