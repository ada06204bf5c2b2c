"""Mend a function that is wrong as a whole, as a failing test says.

The model writes it anew in a conversation about the mistake. Small models often only repeat what
they see; then what a review would write instead of the least expected lines is tried.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from functools import partial
from typing import Final

from fimble.check.place import width
from fimble.engine.messages import Prompt
from fimble.features.offer import Diagnostic, Task
from fimble.features.review import suspects
from fimble.features.usage import definitions
from fimble.features.writing import (
    answers,
    body_part,
    missing_imports,
    model,
    reaches,
    with_newlines,
)
from fimble.prompt.chat import Message, chat_prompt, fence_around
from fimble.prompt.fim import unix
from fimble.source.around import Definition, code_within, enclosing, line_start
from fimble.source.edits import Edit, applied
from fimble.source.identifiers import identifiers

FEW_LINES: Final = 4
"""A diagnostic of fewer lines is about these lines, whatever is around them."""
MAX_LINES: Final = 60
MAX_TOKENS: Final = 640
"""A function is written anew as a whole if it has fewer lines: at most so many tokens."""
ABOVE: Final = 600
"""Characters on either side of such a function that the model sees."""
MAX_NOTE: Final = 300


def function_around(task: Task, diagnostic: Diagnostic) -> Definition | None:
    """Return the function that is wrong as a whole; None if only its lines are."""
    snapshot, start, end = task.snapshot, diagnostic.start, diagnostic.end
    if snapshot.line_of(end) - snapshot.line_of(start) < FEW_LINES:
        return None
    found = enclosing(snapshot, task.languages, start, end, callable_only=True)
    if found is None or snapshot.text[found.start : found.end].count("\n") >= MAX_LINES:
        return None
    return found


async def function_anew(
    task: Task, function: Definition, diagnostic: Diagnostic, tried: set[str]
) -> AsyncGenerator[tuple[Edit, ...], None]:
    """Yield ways to mend the function, the likeliest first.

    ``tried`` are whole texts; those that are yielded are added.
    """
    async for edit in _proposed(task, function, diagnostic):
        whole = applied(task.snapshot.text, [edit])
        if whole not in tried and whole != task.snapshot.text:
            tried.add(whole)
            yield (*missing_imports(task, edit.text), edit)


async def _proposed(
    task: Task, function: Definition, diagnostic: Diagnostic
) -> AsyncGenerator[Edit, None]:
    names = identifiers(task.snapshot.text[function.start : function.end])
    known = await definitions(task, names, (function.start - ABOVE, function.end + ABOVE))
    rewritten = partial(_rewritten, task, function, diagnostic, known)
    async for edit in rewritten(range(1)):
        yield edit
    async for hint in suspects(task, function):
        yield hint.edit
    others = range(1, task.settings.actions.candidates)
    async for edit in rewritten(others):
        yield edit


async def _rewritten(
    task: Task, function: Definition, diagnostic: Diagnostic, known: str, samples: Iterable[int]
) -> AsyncGenerator[Edit, None]:
    """Yield the function's code as the model writes it; its header and docstring stay."""
    snapshot = task.snapshot
    code = code_within(snapshot, task.languages, function)
    if code is None:
        return
    first, last = line_start(snapshot, code[0]), code[1]
    old = unix(snapshot.text[first:last])
    outside = width(snapshot.line_text(snapshot.line_of(function.start)))
    prompt = _conversation(task, function, first, diagnostic, known)
    done = reaches(body_part, outside)
    async for text in answers(task, (prompt,), MAX_TOKENS, done, old, samples, whole=True):
        # Nothing is written yet on the line that it begins with.
        if new := body_part(f"\n{text}", outside).strip("\n").rstrip():
            yield Edit(first, last, with_newlines(snapshot, new))


def _conversation(
    task: Task, function: Definition, first: int, diagnostic: Diagnostic, known: str
) -> Prompt | None:
    """Ask for the function from offset ``first`` on; None if it does not follow instructions.

    ``known`` is how names that it uses are defined elsewhere.
    """
    snapshot = task.snapshot
    start, end = function.start, function.end
    above, below = snapshot.text[max(start - ABOVE, 0) : start], snapshot.text[end : end + ABOVE]
    notes = (diagnostic.message, *diagnostic.related)
    said = "\n".join(" ".join(one.split())[:MAX_NOTE] for one in notes)
    order = (
        f"`{function.name}` in this {snapshot.language.name} code is wrong: {said}\n"
        f"Write `{function.name}` again with this mistake mended and nothing else changed."
        " Answer with the code only."
    )
    code = f"{known}{above}{snapshot.text[start:end]}{below}"
    fence = fence_around(code)
    question = Message("user", f"{order}\n\n{fence}\n{code}\n{fence}")
    begin = f"{fence}\n{snapshot.text[start:first]}"
    return chat_prompt((question,), model(task.engine), begin=begin)
