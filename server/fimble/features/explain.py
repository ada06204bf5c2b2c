"""Explain code in words: what it does, what it costs, and what to watch out for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fimble.features.instruct import selected_lines
from fimble.features.offer import Look, Offer, Outcome, Task
from fimble.features.orders import CANNOT, MAX_CODE, TOO_LONG, spoken
from fimble.features.writing import model
from fimble.prompt.chat import Message, chat_prompt, fence_around
from fimble.source.around import enclosing, stub_of

KIND: Final = "source.fimble.explain"
MAX_TOKENS: Final = 320
BEGIN: Final = "## What it does\n\n"
"""How the answer begins: a small model that sees the first heading writes the others too."""
NOTHING: Final = "There is nothing to explain here."


def offers(look: Look) -> Iterator[Offer]:
    """Offer it for what is selected, else for the function around the cursor."""
    if not look.talks:
        return
    snapshot, languages = look.snapshot, look.languages
    if look.start != look.end:
        yield Offer(KIND, "Explain the selection", look.start, look.end)
        return
    function = enclosing(snapshot, languages, look.start, look.end, callable_only=True)
    if function is not None and stub_of(snapshot, languages, function) is None:
        yield Offer(KIND, f"Explain {function.name}", function.start, function.end)


async def make(task: Task) -> Outcome:
    """Return Markdown to be shown; no file is changed."""
    start, end = selected_lines(task)
    code = task.snapshot.text[start:end]
    if not code.strip():
        return Outcome(message=NOTHING)
    if len(code) > MAX_CODE:
        return Outcome(message=TOO_LONG)
    language = task.snapshot.language
    words = (
        f"Explain this {language.name} code briefly, in Markdown with three headings:"
        " `## What it does`, `## Complexity` (time and space), `## Pitfalls`."
    )
    fence = fence_around(code)
    asked = Message("user", f"{words}\n\n{fence}{language.id}\n{code}\n{fence}")
    prompt = chat_prompt((asked,), model(task.engine), begin=BEGIN)
    if prompt is None:
        return Outcome(message=CANNOT)
    task.report("reading", 0.05)
    text = await spoken(task, prompt, MAX_TOKENS)
    if not text:
        return Outcome(message=NOTHING)
    # Some write the heading once more.
    return Outcome(shown=BEGIN + text.removeprefix(BEGIN.rstrip()).lstrip("\n"))
