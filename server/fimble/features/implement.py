"""Write the function that a comment, a docstring or a stub describes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

from fimble.check.place import indent, look, width
from fimble.features.offer import Look, Offer, Outcome, Task
from fimble.features.writing import (
    body_part,
    definition_part,
    indented,
    infill,
    is_sound,
    missing_imports,
    reaches,
    with_newlines,
    write,
)
from fimble.source.around import (
    Stub,
    comment_around,
    definitions,
    enclosing,
    line_end,
    stub_around,
)
from fimble.source.edits import Edit
from fimble.source.text import Snapshot

KIND: Final = "refactor.rewrite.fimble.implement"
MAX_TOKENS: Final = 384
MIN_WORDS: Final = 4
"""Letters in a comment that may be an order: `# ---` is none."""
NOTHING: Final = "The model wrote nothing here that parses and fits."


def offers(look: Look) -> Iterator[Offer]:
    """Offer it on a stub, on the comment above it, and on a comment that stands for itself."""
    snapshot, languages = look.snapshot, look.languages
    if snapshot.tree is None:
        return
    if stub := _stub(look):
        where = stub.definition
        yield Offer(KIND, f"Implement {where.name}", where.start, where.end)
        return
    comment = comment_around(snapshot, languages, look.start, look.end)
    if comment is not None and _says_something(snapshot.text[comment[0] : comment[1]]):
        below = _next_code(snapshot, comment[1])
        if below is None or not _defines(look, below):
            yield Offer(KIND, "Write what this comment describes", *comment)


async def make(task: Task) -> Outcome:
    """Try candidates until one parses, compiles and defines what it should."""
    task.report("writing", 0.1)
    stub = stub_around(task.snapshot, task.languages, task.offer.start, task.offer.start)
    if stub is not None and stub.definition.start >= task.offer.start:
        candidates = _bodies(task, stub)
    else:
        candidates = _from_comment(task)
    async for edit in candidates:
        task.report("checking", 0.8)
        imports = missing_imports(task, edit.text)
        if await is_sound(task.snapshot, edit, imports):
            return Outcome((*imports, edit))
    return Outcome(message=NOTHING)


async def _bodies(task: Task, stub: Stub) -> AsyncIterator[Edit]:
    """Yield bodies for a stub."""
    snapshot = task.snapshot
    header = snapshot.line_text(snapshot.line_of(stub.definition.start))
    unit = look(snapshot, stub.start).unit
    space, outside = indent(header) + unit, width(header)
    here = snapshot.text[snapshot.line_starts[snapshot.line_of(stub.start)] : stub.start]
    own_line = not here.strip()
    lead = "" if own_line else f"{snapshot.newline}{space}"
    after = snapshot.text[stub.end : line_end(snapshot, stub.end)].strip()
    prompt = infill(snapshot, stub.start, stub.end, task.engine, lead)
    text = await write(task.engine, prompt, MAX_TOKENS, reaches(body_part, outside))
    body = indented(space + body_part(text, outside).strip(" ").rstrip(), space)
    if not body.strip():
        return
    text = body.removeprefix(space) if own_line else f"\n{body}"
    if not own_line and after:
        text = f"{text}\n{indent(header)}"
    yield Edit(stub.start, stub.end, with_newlines(snapshot, text))


async def _from_comment(task: Task) -> AsyncIterator[Edit]:
    """Yield what belongs below a comment: statements inside a function, else a definition."""
    snapshot, offer = task.snapshot, task.offer
    space = indent(snapshot.line_text(snapshot.line_of(offer.start)))
    inside = enclosing(snapshot, task.languages, offer.start, offer.end, callable_only=True)
    part = definition_part if inside is None else _statements
    lead = f"{snapshot.newline}{space}"
    prompt = infill(snapshot, offer.end, offer.end, task.engine, lead)
    text = await write(task.engine, prompt, MAX_TOKENS, reaches(part, len(space.expandtabs(4))))
    code = part(text, len(space.expandtabs(4))).strip("\n").rstrip()
    if not code.strip():
        return
    edit = Edit(offer.end, offer.end, with_newlines(snapshot, f"\n{space}{code.lstrip(' ')}"))
    if inside is not None or await _defines_more(task, edit):
        yield edit


def _statements(text: str, outside: int) -> str:
    """Return the lines up to the first blank one, or the first that is less deep."""
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        if not line.strip() or width(line) < outside:
            return "\n".join(lines[:number])
    return text


async def _defines_more(task: Task, edit: Edit) -> bool:
    snapshot = task.snapshot
    after = await snapshot.splice(edit.start, edit.end, edit.text, 0).parse_in_slices()
    old = {symbol.name for symbol in definitions(snapshot, task.languages)}
    return any(symbol.name not in old for symbol in definitions(after, task.languages))


def _stub(look: Look) -> Stub | None:
    """Return the stub around the range, or the one right below the comment at the range."""
    snapshot, languages = look.snapshot, look.languages
    if stub := stub_around(snapshot, languages, look.start, look.end):
        return stub
    comment = comment_around(snapshot, languages, look.start, look.end)
    below = None if comment is None else _next_code(snapshot, comment[1])
    return None if below is None else stub_around(snapshot, languages, below, below)


def _next_code(snapshot: Snapshot, offset: int) -> int | None:
    """Return the first place that is not white space on the line below; None if that is blank."""
    line = snapshot.line_of(offset) + 1
    text = snapshot.line_text(line) if line < snapshot.line_count else ""
    return snapshot.line_starts[line] + len(indent(text)) if text.strip() else None


def _defines(look: Look, offset: int) -> bool:
    """Tell whether a definition begins on the line of ``offset``: a comment above is about it."""
    found = enclosing(look.snapshot, look.languages, offset, offset)
    return found is not None and found.start <= offset <= line_end(look.snapshot, found.start)


def _says_something(text: str) -> bool:
    # A sign of Chinese says as much as a word.
    return len(re.findall(r"[^\W\d_]", text)) >= MIN_WORDS
