"""Edit a selection as an instruction says, which the user types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fimble.check.place import indent
from fimble.features.offer import Look, Offer, Outcome, Task
from fimble.features.orders import CANNOT, MAX_CODE, TOO_LONG, finished, order
from fimble.features.writing import indented, is_sound, missing_imports, with_newlines
from fimble.prompt.chat import fence_around
from fimble.source.around import enclosing, line_end, line_start
from fimble.source.edits import Edit, line_edits

if TYPE_CHECKING:
    from fimble.source.text import Snapshot

KIND: Final = "refactor.rewrite.fimble.instruct"
INSTRUCTION: Final = "instruction"
"""The option that holds it."""
MORE_TOKENS: Final = 192
"""Tokens that the new code may have beyond those of the old."""
CHARS_PER_TOKEN: Final = 2.5
"""Code of short words; most has more."""
_EXAMPLE: Final = re.compile(r"(?i)\n[ \t]*(?:#|//|--)[ \t]*example usage.*\Z", re.DOTALL)
"""What small models like to add, and nobody asked for."""
NOTHING: Final = "The model changed nothing, or nothing that parses."


def offers(look: Look) -> Iterator[Offer]:
    """Offer it on a selection and in a function, to clients that can ask for the instruction."""
    start, end = look.start, look.end
    if not (look.talks and look.asks):
        return
    if start != end or enclosing(look.snapshot, look.languages, start, end, callable_only=True):
        yield Offer(KIND, "Edit as you say…", start, end, asks=INSTRUCTION)


async def make(task: Task) -> Outcome:
    """Edit the selected lines; without a selection, the function around the cursor."""
    instruction = task.offer.options.get(INSTRUCTION, "").strip()
    if not instruction:
        return Outcome(message="There is no instruction.")
    start, end = selected_lines(task)
    snapshot = task.snapshot
    code = snapshot.text[start:end]
    if code.strip():
        # The order comes last: a small model that reads it first copies the code instead.
        fence = fence_around(code)
        shown = f"{fence}{snapshot.language.id}\n{_without(code, _common_indent(code))}\n{fence}"
        words = f"{shown}\n\n{instruction}\nAnswer with the whole code, edited."
    else:
        words = f"Write {snapshot.language.name} code: {instruction}"
    return await rewritten(task, words, start, end, show_code=False)


async def rewritten(
    task: Task, words: str, start: int, end: int, *, show_code: bool = True
) -> Outcome:
    """Have whole lines written anew as an order says, which may hold them already."""
    snapshot = task.snapshot
    old = snapshot.text[start:end]
    if len(old) > MAX_CODE:
        return Outcome(message=TOO_LONG)
    space = _common_indent(old)
    code = _without(old, space) if show_code else ""
    prompt = order(task, words, code, fence=fence_around(old))
    if prompt is None:
        return Outcome(message=CANNOT)
    task.report("writing", 0.1)
    limit = MORE_TOKENS + int(len(old) / CHARS_PER_TOKEN)
    async for text in finished(task, prompt, limit, guess=_without(old, space)):
        code = _EXAMPLE.sub("", text).strip("\n").rstrip()
        new = with_newlines(snapshot, indented(code, space))
        if not new.strip() or new == old:
            continue
        task.report("checking", 0.8)
        edit = Edit(start, end, new)
        imports = missing_imports(task, new, before=start)
        if await is_sound(snapshot, edit, imports):
            return Outcome((*imports, *line_edits(old, new, start)))
    return Outcome(message=NOTHING)


def selected_lines(task: Task) -> tuple[int, int]:
    """Return the whole lines that are selected; those of the function without a selection."""
    snapshot, start, end = task.snapshot, task.offer.start, task.offer.end
    if start == end and snapshot.line_text(snapshot.line_of(start)).strip():
        around = enclosing(snapshot, task.languages, start, end, callable_only=True)
        return _whole(snapshot, start, end) if around is None else (around.start, around.end)
    return _whole(snapshot, start, end)


def _whole(snapshot: Snapshot, start: int, end: int) -> tuple[int, int]:
    """Widen a range to lines; one that ends where a line begins does not take that line."""
    last = end - 1 if end > start and end == line_start(snapshot, end) else end
    return line_start(snapshot, start), line_end(snapshot, max(last, start))


def _common_indent(text: str) -> str:
    """Return the indentation of the line that has the least of it."""
    return min((indent(line) for line in text.splitlines() if line), key=len, default="")


def _without(text: str, space: str) -> str:
    return "\n".join(line.removeprefix(space) for line in text.splitlines())
