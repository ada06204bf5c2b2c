"""Write a function anew, simpler, faster or with types, and keep what its callers rely on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from fimble.features.implement import body_done, body_edit
from fimble.features.instruct import CHARS_PER_TOKEN, MORE_TOKENS
from fimble.features.offer import Look, Offer, Outcome, Task
from fimble.features.orders import CANNOT, MAX_CODE, TOO_LONG, finished, order
from fimble.features.proof import disproved, proof_of
from fimble.features.writing import check, complaints, is_sound, missing_imports, with_newlines
from fimble.source.around import Definition, Stub, code_within, enclosing, stub_of
from fimble.source.edits import Edit, line_edits

if TYPE_CHECKING:
    from fimble.check.command import Problem
    from fimble.engine.messages import Prompt
    from fimble.source.text import Snapshot

SIMPLIFY: Final = "refactor.rewrite.fimble.simplify"
OPTIMIZE: Final = "refactor.rewrite.fimble.optimize"
TYPES: Final = "refactor.rewrite.fimble.types"
NOTHING: Final = "Nothing was found that passes the checks and is better."
_KEEPERS: Final = ("yield", "await")
"""What makes a function another kind of function."""
_OPENING, _CLOSING = "([{<", ")]}>"


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to write a function anew: its title, and the order for the model."""

    title: str
    order: str


_WAYS: Final[Mapping[str, _Way]] = MappingProxyType(
    {
        SIMPLIFY: _Way(
            "Simplify {}",
            "Make this {} function shorter and simpler. Its parameters and results stay the same.",
        ),
        OPTIMIZE: _Way(
            "Make {} faster",
            "Make this {} function faster, with a better algorithm or data structure."
            " Its parameters and results stay the same.",
        ),
    }
)


def offers(look: Look) -> Iterator[Offer]:
    """Offer it for the function around the range, if that is written."""
    snapshot, languages = look.snapshot, look.languages
    function = enclosing(snapshot, languages, look.start, look.end, callable_only=True)
    if not look.talks or function is None or stub_of(snapshot, languages, function):
        return
    if code_within(snapshot, languages, function) is not None:
        for kind, way in _WAYS.items():
            yield Offer(kind, way.title.format(function.name), function.start, function.end)
    if snapshot.language.types and _parameters(snapshot, function) is not None:
        title = f"Add {snapshot.language.types} to {function.name}"
        yield Offer(TYPES, title, function.start, function.end)


async def make(task: Task) -> Outcome:
    """Write it anew; nothing that fails a check is returned."""
    snapshot, at = task.snapshot, task.offer.start
    function = enclosing(snapshot, task.languages, at, at, callable_only=True)
    if function is None:
        return Outcome(message=NOTHING)
    if function.end - function.start > MAX_CODE:
        return Outcome(message=TOO_LONG)
    task.report("writing", 0.1)
    if task.offer.kind == TYPES:
        return await _typed(task, function)
    way = _WAYS.get(task.offer.kind)
    code = code_within(snapshot, task.languages, function)
    return (
        Outcome(message=NOTHING)
        if way is None or code is None
        else await _better(task, way, Stub(function, *code))
    )


async def _better(task: Task, way: _Way, code: Stub) -> Outcome:
    """Write the body anew; name, parameters and documentation are not written, so they stay."""
    snapshot, function = task.snapshot, code.definition
    old = snapshot.text[code.start : code.end]
    head = snapshot.text[function.start : code.start].rstrip(" \t")
    words = way.order.format(snapshot.language.name)
    prompt = _order(task, function, words, head if head.endswith("\n") else f"{head}\n")
    if prompt is None:
        return Outcome(message=CANNOT)
    proof = await proof_of(task, function)
    before = await check(task, snapshot.text)
    limit = MORE_TOKENS + int(len(old) / CHARS_PER_TOKEN)
    async for text in finished(task, prompt, limit, body_done(snapshot, code), old):
        edit = body_edit(snapshot, code, text)
        if edit is None or not _is_better(task.offer.kind, head, old, edit.text):
            continue
        outcome = await _checked(task, edit, before)
        if outcome is None:
            continue
        fails = await disproved(task, proof, outcome.edits)
        if not fails:
            return replace(outcome, verified=fails is not None)
    return Outcome(message=NOTHING)


def _is_better(kind: str, head: str, old: str, new: str) -> bool:
    """Tell whether new code is another than the old, of the same kind, and shorter if it must.

    What it used of the function's ``head``, its parameters, it must go on using.
    """
    if _words(head) & _words(old) - _words(new):
        return False
    if _bare(new) == _bare(old):
        return False
    if any((word in _words(old)) != (word in _words(new)) for word in _KEEPERS):
        return False
    return kind != SIMPLIFY or len(_bare(new)) < len(_bare(old))


async def _typed(task: Task, function: Definition) -> Outcome:
    """Write parameters and result anew: what is there stays, only annotations are added."""
    snapshot = task.snapshot
    found = _parameters(snapshot, function)
    if found is None:
        return Outcome(message=NOTHING)
    start, end = found
    old = snapshot.text[start:end]
    language = snapshot.language
    words = (
        f"Add {language.types} to the parameters and the result of this {language.name} function."
    )
    prompt = _order(task, function, words, snapshot.text[function.start : start])
    if prompt is None:
        return Outcome(message=CANNOT)

    def done(text: str) -> bool:
        return _header(text) is not None

    proof = await proof_of(task, function)
    before = await check(task, snapshot.text)
    limit = MORE_TOKENS + int(len(old) / CHARS_PER_TOKEN)
    async for text in finished(task, prompt, limit, done):
        new = _header(text) or ""
        if _bare(new) == _bare(old) or not _only_adds(old, new):
            continue
        outcome = await _checked(task, Edit(start, end, with_newlines(snapshot, new)), before)
        if outcome is None:
            continue
        fails = await disproved(task, proof, outcome.edits)
        if not fails:
            return replace(outcome, verified=fails is not None)
    return Outcome(message=NOTHING)


def _order(task: Task, function: Definition, words: str, begin: str) -> Prompt | None:
    return order(task, words, task.snapshot.text[function.start : function.end], begin)


async def _checked(task: Task, edit: Edit, before: Sequence[Problem] | None) -> Outcome | None:
    """Return what comes of an edit, in lines, if it parses, compiles and no checker complains."""
    task.report("checking", 0.7)
    snapshot = task.snapshot
    imports = missing_imports(task, edit.text, before=task.offer.start)
    if not await is_sound(snapshot, edit, imports):
        return None
    if await complaints(task, (*imports, edit), before):
        return None
    start, end = (
        snapshot.line_range(snapshot.line_of(edit.start))[0],
        snapshot.line_range(snapshot.line_of(edit.end))[1],
    )
    old = snapshot.text[start:end]
    new = snapshot.text[start : edit.start] + edit.text + snapshot.text[edit.end : end]
    return Outcome((*imports, *line_edits(old, new, start)))


def _parameters(snapshot: Snapshot, function: Definition) -> tuple[int, int] | None:
    """Return what lies between the function's opening parenthesis and its body."""
    head = snapshot.text[function.start : function.body_start]
    match = re.search(rf"\b{re.escape(function.name)}\b\s*(?:<[^<>()]*>)?\s*\(", head)
    end = len(head.rstrip())
    if match is None or function.body_start == function.end or end <= match.end():
        return None
    return function.start + match.end(), function.start + end


def _header(text: str) -> str | None:
    """Return parameters and result as the model writes them, up to the body; None if not whole."""
    depth = 1
    for place, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if depth:
            continue
        if char == "{":
            return text[:place].rstrip()
        if char == "\n":
            return text[:place].rstrip()
    return None


def _only_adds(old: str, new: str) -> bool:
    """Tell whether all of ``old`` is in ``new`` in its order, with no parameter more."""
    rest = iter(_tokens(new))
    if not all(token in rest for token in _tokens(old)):
        return False
    return _outer(old, ",") == _outer(new, ",") and _outer(old, "=") == _outer(new, "=")


def _outer(text: str, wanted: str) -> int:
    """Count a character among the parameters, outside all inner brackets; a last comma is none."""
    text = re.sub(r",(\s*\))", r"\1", text.replace("->", "  ").replace("=>", "  "))
    depth = count = 0
    for char in text:
        depth += (char in _OPENING) - (char in _CLOSING)
        if depth < 0:
            break
        count += char == wanted and depth == 0
    return count


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)
