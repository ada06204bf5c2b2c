"""Translate code into another programming language."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from fimble.features.instruct import CHARS_PER_TOKEN, MORE_TOKENS
from fimble.features.offer import Look, Offer, Other, Outcome, Task
from fimble.features.orders import CANNOT, MAX_CODE, TOO_LONG, finished, order
from fimble.features.writing import is_file, path_of, uri_of
from fimble.prompt.chat import fence_around
from fimble.source.edits import Edit
from fimble.source.languages import PLAIN
from fimble.source.text import Snapshot
from fimble.source.tree import error_count

if TYPE_CHECKING:
    from fimble.source.languages import Language

KIND: Final = "refactor.rewrite.fimble.translate"
TO: Final = "to"
"""The option that names the language."""
NOTHING: Final = "The model wrote nothing that parses in that language."
UNKNOWN: Final = "This language is not known."
EMPTY: Final = "There is nothing to translate."


def offers(look: Look) -> Iterator[Offer]:
    """Offer it on a selection, to clients that can ask for the language."""
    if look.talks and look.asks and look.start != look.end:
        yield Offer(KIND, "Translate…", look.start, look.end, asks=TO)


async def make(task: Task) -> Outcome:
    """Show the translation of a selection; put that of a whole file into a new one beside it."""
    snapshot, offer = task.snapshot, task.offer
    target = task.languages.for_document(task.offer.options.get(TO, ""), "")
    if target is PLAIN:
        return Outcome(message=UNKNOWN)
    is_whole = offer.start == offer.end
    code = snapshot.text if is_whole else snapshot.text[offer.start : offer.end]
    if not code.strip():
        return Outcome(message=EMPTY)
    if len(code) > MAX_CODE:
        return Outcome(message=TOO_LONG)
    words = f"Translate this {snapshot.language.name} code into {target.name}."
    prompt = order(task, words, code.strip("\n"), answer=target)
    if prompt is None:
        return Outcome(message=CANNOT)
    task.report("writing", 0.1)
    limit = MORE_TOKENS + int(len(code) / CHARS_PER_TOKEN)
    async for text in finished(task, prompt, limit):
        if text.strip() and await _parses(task, target, text):
            return await _outcome(task, target, text.strip("\n"), is_whole=is_whole)
    return Outcome(message=NOTHING)


async def _parses(task: Task, target: Language, text: str) -> bool:
    grammar = await asyncio.to_thread(task.languages.grammar, target)
    parsed = await Snapshot.open("", 0, target, text).parse_in_slices(grammar)
    return parsed.tree is None or error_count(parsed.tree) == 0


async def _outcome(task: Task, target: Language, text: str, *, is_whole: bool) -> Outcome:
    uri = await _free_place(task, target) if is_whole else ""
    if uri:
        empty = Snapshot.open(uri, 0, target, "")
        return Outcome(other=Other(empty, (Edit(0, 0, f"{text}\n"),), is_new=True))
    fence = fence_around(text)
    return Outcome(shown=f"{fence}{target.id}\n{text}\n{fence}")


async def _free_place(task: Task, target: Language) -> str:
    """Return the URI of the file beside this one in the other language; "" if there is one."""
    path = PurePosixPath(path_of(task.snapshot))
    if not is_file(task.snapshot) or not path.suffix or not target.extensions:
        return ""
    new = path.with_suffix(target.extensions[0])
    return "" if await asyncio.to_thread(Path(new).exists) else uri_of(task.snapshot, new)
