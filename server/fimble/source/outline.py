"""A file's definitions as others need them: signatures with the first line of their docs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.source.symbols import Symbol, symbols
from fimble.source.tree import ByteOffsets, captures

if TYPE_CHECKING:
    from fimble.source.languages import Languages
    from fimble.source.text import Snapshot

MAX_SIGNATURE: Final = 320
"""Longest signature, in characters; longer ones are cut after a line."""
MAX_VALUE: Final = 120
"""Longest first line of a definition without a body, such as a constant."""
_DOC_LINES: Final = 12
_QUOTES: Final = ('"""', "'''")


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition: its lines (from 0, ``end`` included) and its ``signature``.

    ``parent`` is the position in the file's outline of the definition around it, -1 for none.
    """

    name: str
    kind: str
    line: int
    end: int
    parent: int
    signature: str


def outline(snapshot: Snapshot, languages: Languages) -> list[Definition]:
    """Return the definitions of a parsed snapshot, in the order of the text."""
    query = languages.query(snapshot.language, "symbols")
    if query is None or snapshot.tree is None:
        return []
    found = sorted(symbols(snapshot, query), key=lambda one: (one.start, -one.end))
    bodies = _bodies(snapshot, languages)
    result: list[Definition] = []
    open_ones: list[int] = []
    for symbol in found:
        while open_ones and found[open_ones[-1]].end < symbol.end:
            open_ones.pop()
        parent = open_ones[-1] if open_ones else -1
        result.append(_definition(snapshot, symbol, parent, bodies.get(symbol.end)))
        open_ones.append(len(result) - 1)
    return result


def imported(snapshot: Snapshot, languages: Languages) -> tuple[str, ...]:
    """Return the modules a parsed snapshot imports, as they are written there."""
    query = languages.query(snapshot.language, "imports")
    if query is None or snapshot.tree is None:
        return ()
    offsets = ByteOffsets(snapshot.text)
    nodes = captures(query, snapshot.tree).get("module", [])
    texts = (
        snapshot.text[offsets.to_offset(node.start_byte) : offsets.to_offset(node.end_byte)]
        for node in nodes
    )
    return tuple(dict.fromkeys(texts))


def _bodies(snapshot: Snapshot, languages: Languages) -> dict[int, list[int]]:
    """Return where bodies start, by where they end: a definition ends with its body."""
    query = languages.query(snapshot.language, "scopes")
    if query is None or snapshot.tree is None:
        return {}
    offsets = ByteOffsets(snapshot.text)
    bodies: dict[int, list[int]] = {}
    for node in captures(query, snapshot.tree).get("body", []):
        end = offsets.to_offset(node.end_byte)
        bodies.setdefault(end, []).append(offsets.to_offset(node.start_byte))
    return bodies


def _definition(
    snapshot: Snapshot, symbol: Symbol, parent: int, bodies: Sequence[int] | None
) -> Definition:
    text = snapshot.text
    start = snapshot.line_starts[snapshot.line_of(symbol.start)]
    inside = [body for body in bodies or () if body > symbol.name_start]
    if inside:
        body = min(inside)
        signature = _capped(text[start:body].rstrip().removesuffix("{").rstrip())
        doc = _doc_inside(text[body : body + MAX_SIGNATURE]) or _doc_above(snapshot, start)
        indent = text[start : start + len(text[start:]) - len(text[start:].lstrip())]
        doc = f"\n{indent}{snapshot.language.indent}{doc}" if doc else ""
    else:
        signature = text[start : snapshot.line_range(snapshot.line_of(symbol.name_start))[1]]
        signature, doc = signature[:MAX_VALUE].rstrip(), ""
    return Definition(
        name=symbol.name,
        kind=symbol.kind,
        line=snapshot.line_of(start),
        end=snapshot.line_of(max(symbol.end - 1, symbol.start)),
        parent=parent,
        signature=signature + doc,
    )


def _capped(signature: str) -> str:
    if len(signature) <= MAX_SIGNATURE:
        return signature
    return signature[: signature.rfind("\n", 0, MAX_SIGNATURE)][:MAX_SIGNATURE]


def _doc_inside(body: str) -> str:
    """Return the first line of a docstring at the start of a body, closed."""
    body = body.lstrip()
    quote = next((one for one in _QUOTES if body.startswith(one)), "")
    if not quote:
        return ""
    first = body[len(quote) :].lstrip().partition("\n")[0].partition(quote)[0].strip()
    return f"{quote}{first}{quote}" if first else ""


def _doc_above(snapshot: Snapshot, start: int) -> str:
    """Return the first line of the comment right above a line, or nothing."""
    marks = tuple(filter(None, (snapshot.language.line_comment, "/*", "*")))
    line = snapshot.line_of(start)
    first = ""
    for above in range(line - 1, max(line - 1 - _DOC_LINES, -1), -1):
        content = snapshot.line_text(above).strip()
        if not content.startswith(marks):
            break
        if any(char.isalpha() for char in content):
            first = content
    if not first or snapshot.language.line_comment is None:
        return ""
    words = first.lstrip("/*#-!;% ").removesuffix("*/").strip()
    return f"{snapshot.language.line_comment} {words[:MAX_VALUE]}"
