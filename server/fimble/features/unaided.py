"""What can be mended without a model: an import, a misspelled name, and what nobody needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from fimble.check.place import opens
from fimble.features.offer import Diagnostic, Task
from fimble.features.writing import missing_imports
from fimble.source.edits import Edit
from fimble.source.text import Snapshot

QUOTED: Final = re.compile(r"[`'\"\u2018\u201c]([^\W\d]\w*)[`'\"\u2019\u201d]")
"""A name in a message."""
SPARE: Final = re.compile(
    r"\bunused\b|never used|not used|imported but|redefinition", re.IGNORECASE
)
"""What a message says of code that nobody needs: only then may a line go."""
UNKNOWN: Final = re.compile(
    r"undefined|undeclared|unknown|unresolved|not (?:defined|declared|found|known|exist)"
    r"|cannot (?:find|access|resolve)|could not|no (?:\w+ )*(?:attribute|member|method|such)"
    r"|did you mean|maybe",
    re.IGNORECASE,
)
"""What a message says of a name that may be misspelled."""


def without_model(
    task: Task, diagnostic: Diagnostic, first: int, last: int
) -> Iterator[tuple[Edit, ...]]:
    """Yield what may mend the lines from ``first`` to ``last``, to be tried with a checker."""
    snapshot, message = task.snapshot, diagnostic.message
    text = snapshot.text
    at = text[diagnostic.start : diagnostic.end]
    found = (*QUOTED.findall(message), *([at] if re.fullmatch(r"[^\W\d]\w*", at) else ()))
    names = tuple(dict.fromkeys(found))
    for name in names:
        if line := snapshot.language.imports.get(name):
            fake = missing_imports(_blind(task, name), name)
            if fake and line in fake[0].text:
                yield fake
    words = set(re.findall(r"[^\W\d]\w*", text)) if UNKNOWN.search(message) else set()
    for name in names:
        for other in get_close_matches(name, words - {name}, n=2, cutoff=0.75):
            line = re.sub(rf"\b{name}\b", other, text[first:last])
            yield (Edit(first, last, line),)
    if SPARE.search(message):
        for edit in _spared(snapshot, first, last, names):
            yield (edit,)


def _spared(snapshot: Snapshot, first: int, last: int, names: tuple[str, ...]) -> Iterator[Edit]:
    """Yield lines without what nobody needs: all of them, or a variable but not its value.

    A call may be needed for what it does. What a line opens stays, so its variable gets a name
    that says that it is not used.
    """
    line = snapshot.text[first:last]
    if opens(line, snapshot.language.block_style):
        for name in names:
            if _is_bound_anew(snapshot.text[last:], name):
                yield Edit(first, last, re.sub(rf"(?<![\w.]){name}\b", f"_{name}", line, count=1))
        return
    end = min(last + len(snapshot.newline), len(snapshot.text))
    matches = (re.match(rf"([ \t]*){name}[ \t]*=(?!=)[ \t]*(?=\S)", line) for name in names)
    values = [Edit(first, last, one[1] + line[one.end() :]) for one in matches if one]
    gone = Edit(first, end, "")
    yield from (*values, gone) if "(" in line else (gone, *values)
    # It may have been all that there was.
    space = line[: len(line) - len(line.lstrip())]
    for stub in filter(str.isalpha, snapshot.language.stubs):
        yield Edit(first, last, space + stub)


def _is_bound_anew(text: str, name: str) -> bool:
    """Tell whether a name is not read in a text before it stands for something else there."""
    found = re.search(rf"^.*\b{name}\b.*$", text, re.MULTILINE)
    again = rf"[ \t]*(?:for\b.*\b{name}\b.*\bin\b(?!.*\b{name}\b)|{name}[ \t]*=(?!.*\b{name}\b))"
    return found is None or bool(re.match(again, found[0]))


def _blind(task: Task, name: str) -> Task:
    """Return the task in a file in which the name does not occur yet."""
    blank = "·" * len(name)
    text = re.sub(rf"\b{name}\b", blank, task.snapshot.text)
    return replace(task, snapshot=replace(task.snapshot, text=text))
