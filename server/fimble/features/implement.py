"""Write the function that a comment, a docstring or a stub describes."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from fimble.check.place import indent, look, width
from fimble.check.stop import counts_up
from fimble.engine.messages import Prompt
from fimble.features.examples import told_of
from fimble.features.offer import Look, Offer, Outcome, Task
from fimble.features.trial import Draft, Wrong, best
from fimble.features.usage import Usage, missing, usage
from fimble.features.writing import (
    NEARBY,
    answers,
    body_part,
    check,
    definition_part,
    indented,
    infill,
    model,
    reaches,
    with_newlines,
)
from fimble.prompt.chat import Message, chat_prompt, fence_around
from fimble.source.around import (
    Stub,
    comment_around,
    defined_within,
    enclosing,
    line_end,
    stub_around,
)
from fimble.source.edits import Edit
from fimble.source.languages import BlockStyle
from fimble.source.text import Snapshot

KIND: Final = "refactor.rewrite.fimble.implement"
MAX_TOKENS: Final = 384
HELPER_LINES: Final = 20
"""A function to help that is longer hardly ever ends."""
MIN_WORDS: Final = 4
"""Letters in a comment that may be an order: `# ---` is none."""
_VALUES: Final = ("variable", "constant")


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
    """Try candidates until one parses, compiles, defines what it should and passes its examples."""
    task.report("writing", 0.1)
    snapshot, offer = task.snapshot, task.offer
    before = await check(task, snapshot.text)
    stub = stub_around(snapshot, task.languages, offer.start, offer.start)
    if stub is None or stub.definition.start < offer.start:
        seen = (_above(snapshot, offer.start), offer.end)
        known = await usage(task, missing(before), offer.start, offer.end, seen)
        told = snapshot.text[offer.start : offer.end]
        return await best(task, partial(_from_comment, task, known), told, before)
    definition = stub.definition
    start, end = definition.start, definition.end
    seen = (_above(snapshot, start), end)
    known = await usage(task, (definition.name,), start, end, seen)
    return await best(task, partial(_bodies, task, stub, known), told_of(task, definition), before)


def _lead(snapshot: Snapshot, stub: Stub) -> str:
    """Return what must be written before the body; nothing where a line waits for it."""
    start = snapshot.line_starts[snapshot.line_of(stub.start)]
    if not snapshot.text[start : stub.start].strip():
        return ""
    return snapshot.newline + _space(snapshot, stub)


def _space(snapshot: Snapshot, stub: Stub) -> str:
    """Return the indentation of the body."""
    return indent(_header(snapshot, stub)) + look(snapshot, stub.start).unit


def _fim(task: Task, stub: Stub, context: str) -> Prompt:
    """Ask for what is missing in the file, whose other side it sees as well."""
    lead = _lead(task.snapshot, stub)
    return infill(task.snapshot, stub.start, stub.end, task.engine, lead=lead, context=context)


async def _bodies(
    task: Task, stub: Stub, known: Usage, wrong: Wrong | None
) -> AsyncGenerator[Draft, None]:
    """Yield bodies for a stub, each with the functions that it calls and that follow it."""
    snapshot, header = task.snapshot, _header(task.snapshot, stub)
    part, outside, word = _with_helpers(snapshot, stub), width(header), f"{header.split()[0]} "

    def done(text: str) -> bool:
        rest = text[len(part(text, outside)) :].lstrip("\n")
        # The line under way may become a helper's first one; any other is not wanted already.
        helps = "\n" not in rest and (rest.startswith(word) or word.startswith(rest))
        return not helps or counts_up(text)

    definition = stub.definition
    words = f"Complete this {snapshot.language.name} function."
    code = snapshot.text[_above(snapshot, definition.start) : stub.start].rstrip(" ")
    head = snapshot.text[definition.start : stub.start].rstrip(" ")
    chat = _chat(task, words, code, known, head, wrong)
    prompts = (chat,) if wrong else (chat, _fim(task, stub, known.defined))
    async for text in answers(task, prompts, MAX_TOKENS, done, whole=True):
        if counts_up(text):
            continue
        helpers = part(text, outside)[len(body_part(text, outside)) :].strip("\n").rstrip()
        edit = body_edit(snapshot, stub, text)
        if edit is not None and await _is_written(task, stub, edit):
            more = with_newlines(snapshot, f"\n\n\n{helpers}") if helpers else ""
            yield Draft(replace(edit, text=edit.text + more), definition.name)


async def _is_written(task: Task, stub: Stub, edit: Edit) -> bool:
    """Tell whether a body is more than a stub in place of the other one."""
    after = await task.snapshot.splice(edit.start, edit.end, edit.text, 0).parse_in_slices()
    start = stub.definition.start
    return stub_around(after, task.languages, start, start) is None


def _with_helpers(snapshot: Snapshot, stub: Stub) -> Callable[[str, int], str]:
    """Return how to cut a body together with the functions that only it calls.

    Models often use a function first and write it then. Only where nothing has to be closed.
    """
    header, after = _header(snapshot, stub), snapshot.text[stub.end : line_end(snapshot, stub.end)]
    style = snapshot.language.block_style
    if style is not BlockStyle.INDENT or indent(header) or after.strip():
        return body_part
    begins = re.compile(rf"\n+{re.escape(header.split()[0])} +(\w+)\(")

    def part(text: str, outside: int) -> str:
        kept = body_part(text, outside)
        while helper := begins.match(text, len(kept)):
            word = re.compile(rf"\b{helper[1]}\b")
            if word.search(snapshot.text) or not word.search(kept):
                break
            more = body_part(text[helper.end() :], outside)
            if more.count("\n") > HELPER_LINES:
                break
            kept = text[: helper.end()] + more
        return kept

    return part


def body_done(snapshot: Snapshot, stub: Stub) -> Callable[[str], bool]:
    """Return the stop rule for the body of a function."""
    return reaches(body_part, width(_header(snapshot, stub)))


def body_edit(snapshot: Snapshot, stub: Stub, text: str) -> Edit | None:
    """Return the edit that makes ``text``, up to where it leaves the function, its body."""
    header, space, lead = _header(snapshot, stub), _space(snapshot, stub), _lead(snapshot, stub)
    after = snapshot.text[stub.end : line_end(snapshot, stub.end)].strip()
    body = indented(space + body_part(text, width(header)).strip(" \t").rstrip(), space)
    if not body.strip():
        return None
    tail = f"\n{indent(header)}" if after and lead else ""
    whole = f"\n{body}{tail}" if lead else body.removeprefix(space)
    return Edit(stub.start, stub.end, with_newlines(snapshot, whole))


def _header(snapshot: Snapshot, stub: Stub) -> str:
    """Return the first line of the function."""
    return snapshot.line_text(snapshot.line_of(stub.definition.start))


def _above(snapshot: Snapshot, offset: int) -> int:
    """Return the line start from which on the model reads what stands above an offset."""
    first = snapshot.line_of(max(offset - NEARBY.prefix, 0))
    return snapshot.line_starts[min(first + 1, snapshot.line_of(offset)) if first else 0]


def _chat(  # noqa: PLR0917  (two callers)
    task: Task, words: str, code: str, known: Usage, begin: str, wrong: Wrong | None
) -> Prompt | None:
    """Ask in words, which models that follow instructions understand better.

    ``begin`` is the end of the code with which the answer begins, and ``wrong`` what the model
    wrote before, to be mended.
    """
    order = f"{words} Answer with the code only."
    code = known.defined + code
    fence = fence_around(code + known.used + ("" if wrong is None else wrong.text))
    about = f"{order}\n\n{fence}\n{code}\n{fence}"
    if known.used:
        about += f"\n\nIt is used in these lines.\n\n{fence}\n{known.used}\n{fence}"
    messages: tuple[Message, ...] = (Message("user", about),)
    if wrong is not None:
        messages += (
            Message("assistant", f"{fence}\n{(begin + wrong.text).lstrip()}\n{fence}"),
            Message("user", f"Checking it gave this. Mend it.\n\n{wrong.failure}"),
        )
    begin = begin if begin.endswith("\n") or not begin else f"{begin}\n"
    return chat_prompt(messages, model(task.engine), begin=f"{fence}\n{begin}")


async def _from_comment(
    task: Task, known: Usage, wrong: Wrong | None
) -> AsyncGenerator[Draft, None]:
    """Yield what belongs below a comment: statements inside a function, else a definition."""
    snapshot, offer = task.snapshot, task.offer
    space = indent(snapshot.line_text(snapshot.line_of(offer.start)))
    inside = enclosing(snapshot, task.languages, offer.start, offer.end, callable_only=True)
    part = definition_part if inside is None else _statements
    words = f"Write the {snapshot.language.name} code that the comment at the end describes."
    above = snapshot.text[_above(snapshot, offer.start) : offer.end]
    # Asked for a method, models write the class around it once more.
    chat = None if inside or space else _chat(task, words, above, known, "", wrong)
    lead = f"{snapshot.newline}{space}"
    at = offer.end
    fim = infill(snapshot, at, at, task.engine, lead=lead, context=known.defined)
    prompts = (chat,) if wrong else (chat, fim)
    outside = width(space + "x")
    async for text in answers(task, prompts, MAX_TOKENS, reaches(part, outside), whole=True):
        code = with_newlines(snapshot, part(_uncommented(snapshot, text), outside).strip())
        if not code:
            continue
        edit = Edit(offer.end, offer.end, f"{snapshot.newline}{space}{code}")
        name = "" if inside else await _defined(task, edit)
        if name is not None:
            yield Draft(edit, name)


def _uncommented(snapshot: Snapshot, text: str) -> str:
    """Return a text without the comments that it begins with: there is one above already."""
    mark = re.escape(snapshot.language.line_comment or "\0")
    return re.sub(rf"^(?:\s*(?:{mark}.*)?\n)+", "", text)


def _statements(text: str, outside: int) -> str:
    """Return the lines up to the first blank one, or the first that is less deep."""
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        if not line.strip() or width(line) < outside:
            return "\n".join(lines[:number])
    return text


async def _defined(task: Task, edit: Edit) -> str | None:
    """Return the name of what an edit defines, the first that the comment calls if there is one.

    None if it defines nothing, or only a stub or what is there already.
    """
    snapshot, languages, offer = task.snapshot, task.languages, task.offer
    after = await snapshot.splice(edit.start, edit.end, edit.text, 0).parse_in_slices()
    new = defined_within(after, languages, edit.start, edit.start + len(edit.text))
    new = [symbol for symbol in new if symbol.kind not in _VALUES]
    told = snapshot.text[offer.start : offer.end]
    called = [one for one in new if re.search(rf"\b{re.escape(one.name)}\(", told)]
    main = next(iter((*called, *new)), None)
    if main is None or edit.text.strip() in snapshot.text:
        return None
    if stub_around(after, languages, main.start, main.end):
        return None
    return main.name


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
