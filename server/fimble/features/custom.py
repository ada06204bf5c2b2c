"""Actions that the user describes in the settings: `actions.custom`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fimble.check.place import indent
from fimble.features.instruct import INSTRUCTION, rewritten, selected_lines
from fimble.features.offer import Look, Offer, Outcome, Task
from fimble.features.orders import CANNOT, MAX_CODE, TOO_LONG, finished, order, spoken
from fimble.features.writing import indented, is_sound, model, path_of, with_newlines
from fimble.prompt.chat import Message, chat_prompt, fence_around
from fimble.source.around import Definition, enclosing
from fimble.source.edits import Edit

if TYPE_CHECKING:
    from fimble.settings import Custom

KIND: Final = "refactor.rewrite.fimble.custom"
MAX_TOKENS: Final = 384
NOTHING: Final = "The model wrote nothing that can be used."
GONE: Final = "There is no such action in the settings."
_PLACEHOLDER: Final = re.compile(r"\{(selection|language|file|name|instruction)\}")
_KINDS: Final[Mapping[str, str]] = {"function": "function", "method": "function", "class": "class"}


def kind_of(name: str) -> str:
    """Return the kind of an action by its name, in which only words are left."""
    words = re.findall(r"[^\W_]+", name.lower())
    return f"{KIND}.{'-'.join(words)}"


def offers(look: Look) -> Iterator[Offer]:
    """Offer those that are for this language and place; one in words if the client can ask."""
    if not look.talks:
        return
    for one in look.settings.actions.custom:
        language = look.snapshot.language
        if one.languages and not {language.id, *language.lsp_ids} & {*one.languages}:
            continue
        asks = INSTRUCTION if "{instruction}" in one.prompt else ""
        if asks and not look.asks:
            continue
        if place := _place(look, one):
            title = f"{one.name}…" if asks else one.name
            yield Offer(kind_of(one.name), title, *place, asks=asks)


async def make(task: Task) -> Outcome:
    """Ask as the template says, and do with the answer what the setting says."""
    customs = task.settings.actions.custom
    one = next((one for one in customs if kind_of(one.name) == task.offer.kind), None)
    if one is None:
        return Outcome(message=GONE)
    start, end = selected_lines(task)
    code = task.snapshot.text[start:end]
    if len(code) > MAX_CODE:
        return Outcome(message=TOO_LONG)
    words = _filled(task, one, code)
    task.report("writing", 0.1)
    if one.output == "show":
        return await _shown(task, words)
    if one.output == "insert":
        return await _inserted(task, words, end, indent(code))
    has_code = "{selection}" in one.prompt
    return await rewritten(task, words, start, end, show_code=not has_code)


def _place(look: Look, one: Custom) -> tuple[int, int] | None:
    """Return what the action would be about."""
    if look.start != look.end:
        return (look.start, look.end) if "selection" in one.on else None
    function = enclosing(look.snapshot, look.languages, look.start, look.end, callable_only=True)
    around = enclosing(look.snapshot, look.languages, look.start, look.end)
    for definition in (around, function):
        if _fits(definition, one):
            assert definition is not None, "it fits"
            return definition.start, definition.end
    return None


def _fits(definition: Definition | None, one: Custom) -> bool:
    return definition is not None and _KINDS.get(definition.kind) in one.on


def _filled(task: Task, one: Custom, code: str) -> str:
    """Fill the template in one pass: what is put in is never looked at for placeholders."""
    snapshot = task.snapshot
    around = enclosing(snapshot, task.languages, task.offer.start, task.offer.start)
    fence = fence_around(code)
    known = {
        "selection": f"\n{fence}{snapshot.language.id}\n{code}\n{fence}\n",
        "language": snapshot.language.name,
        "file": PurePosixPath(path_of(snapshot)).name,
        "name": "" if around is None else around.name,
        "instruction": task.offer.options.get(INSTRUCTION, ""),
    }
    return _PLACEHOLDER.sub(lambda match: known[match[1]], one.prompt)


async def _shown(task: Task, words: str) -> Outcome:
    prompt = chat_prompt((Message("user", words),), model(task.engine))
    if prompt is None:
        return Outcome(message=CANNOT)
    text = await spoken(task, prompt, MAX_TOKENS)
    return Outcome(shown=text) if text else Outcome(message=NOTHING)


async def _inserted(task: Task, words: str, end: int, space: str) -> Outcome:
    """Put the code of the answer below the selection."""
    prompt = order(task, words, "")
    if prompt is None:
        return Outcome(message=CANNOT)
    async for text in finished(task, prompt, MAX_TOKENS):
        new = indented(text.strip("\n").rstrip(), space)
        edit = Edit(end, end, with_newlines(task.snapshot, f"\n{new}"))
        if new.strip() and await is_sound(task.snapshot, edit):
            return Outcome((edit,))
    return Outcome(message=NOTHING)
