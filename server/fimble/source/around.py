"""What stands around a place: the definition that holds it, its body, comments and imports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.source.languages import BlockStyle, DocPlace
from fimble.source.symbols import Symbol, symbols
from fimble.source.tree import ByteOffsets, captures

if TYPE_CHECKING:
    from tree_sitter import Node

    from fimble.source.languages import Languages
    from fimble.source.text import Snapshot

QUERIES: Final = ("symbols", "scopes", "lexical", "imports")
"""The queries that are asked here: worth compiling when a file is opened."""
MAX_COMMENT: Final = 100
"""Lines that are looked at on either side for the rest of a comment."""
MAX_IMPORTS: Final = 20_000
"""Bytes at the beginning of a file in which its imports are looked for."""
MAX_STUB: Final = 400
"""Characters of the longest body that may be a stub."""
_ARGUMENTS: Final = r"\((?:[^()]|\([^()]*\))*\)"
_UNWRITTEN: Final = rf"(?=[\s\S]*(?i:todo|fixme|implement|实现|實現)){_ARGUMENTS}"
_CALLABLE: Final = ("function", "method")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text between two offsets, and what it is."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition in whole lines: ``start`` and ``end`` are a line's start and a line's end.

    ``body_start`` and ``body_end`` are what its syntax node calls the body, braces included; both
    are ``end`` where it has none.
    """

    kind: str
    name: str
    start: int
    end: int
    body_start: int
    body_end: int

    @property
    def is_callable(self) -> bool:
        """Whether it is a function or a method."""
        return self.kind in _CALLABLE


@dataclass(frozen=True, slots=True)
class Stub:
    """A function, and between the offsets the code of its body or the place where it is missing."""

    definition: Definition
    start: int
    end: int


def enclosing(
    snapshot: Snapshot, languages: Languages, start: int, end: int, *, callable_only: bool = False
) -> Definition | None:
    """Return the innermost definition that holds the whole range; None where there is none.

    A place in a decorator or anywhere else on a definition's first or last line counts.
    """
    holding = _holding(snapshot, languages, start, end, _CALLABLE if callable_only else ())
    return _definition(snapshot, languages, holding[-1]) if holding else None


def nested(
    snapshot: Snapshot, languages: Languages, start: int, end: int, kinds: Sequence[str]
) -> list[Definition]:
    """Return all definitions of these kinds that hold the whole range, the outermost first."""
    holding = _holding(snapshot, languages, start, end, kinds)
    return [_definition(snapshot, languages, symbol) for symbol in holding]


def functions(
    snapshot: Snapshot, languages: Languages, start: int, end: int
) -> Iterator[Definition]:
    """Yield the functions and methods that touch a range, none of them inside another."""
    query = languages.query(snapshot.language, "symbols")
    found = [] if query is None else symbols(snapshot, query, start, end)
    last = -1
    for symbol in sorted(found, key=lambda one: (one.start, -one.end)):
        if symbol.kind in _CALLABLE and line_start(snapshot, symbol.start) > last:
            last = line_end(snapshot, symbol.end)
            yield _definition(snapshot, languages, symbol)


def defined_within(snapshot: Snapshot, languages: Languages, start: int, end: int) -> list[Symbol]:
    """Return the definitions whose names stand in a range."""
    query = languages.query(snapshot.language, "symbols")
    found = [] if query is None else symbols(snapshot, query, start, end)
    return [symbol for symbol in found if start <= symbol.name_start < end]


def is_new_name(snapshot: Snapshot, offset: int) -> bool:
    """Tell whether the character at ``offset`` is part of a name that stands nowhere before."""
    if snapshot.tree is None:
        return False
    offsets = ByteOffsets(snapshot.text)
    byte = offsets.to_byte(offset)
    node = snapshot.tree.root_node.descendant_for_byte_range(byte, byte)
    if node is None or "identifier" not in node.type:
        return False
    start, end = offsets.to_offset(node.start_byte), offsets.to_offset(node.end_byte)
    name = re.escape(snapshot.text[start:end])
    first = re.search(rf"(?<!\w){name}(?!\w)", snapshot.text)
    return first is not None and first.start() == start


def stub_around(snapshot: Snapshot, languages: Languages, start: int, end: int) -> Stub | None:
    """Return the function around the range if it was only announced so far."""
    definition = enclosing(snapshot, languages, start, end, callable_only=True)
    return None if definition is None else stub_of(snapshot, languages, definition)


def stub_of(snapshot: Snapshot, languages: Languages, definition: Definition) -> Stub | None:
    """Return where the body of a function is missing; None if it has one."""
    text = snapshot.text
    code = code_within(snapshot, languages, definition)
    if code is None:
        return None
    if code[1] - code[0] > MAX_STUB:
        return None
    bare = text[code[0] : _without_comments(snapshot, languages, *code)].strip()
    stubs = (
        one.replace("{arguments}", _ARGUMENTS).replace("{unwritten}", _UNWRITTEN)
        for one in snapshot.language.stubs
    )
    if bare and not any(re.fullmatch(one, bare) for one in stubs):
        return None
    return Stub(definition, *code)


def code_within(
    snapshot: Snapshot, languages: Languages, definition: Definition
) -> tuple[int, int] | None:
    """Return the code of a body: braces, a docstring and comments before it left out.

    None for a definition that has no body, not even an empty one.
    """
    text, style = snapshot.text, snapshot.language.block_style
    first, last = definition.body_start, definition.body_end
    if first == last:
        if style is not BlockStyle.END:
            return None
        first = line_end(snapshot, definition.start)
        last = max(first, line_start(snapshot, definition.end) - 1)
    elif text[first] == "{" and text[last - 1] == "}":
        first, last = first + 1, last - 1
    return _bare(snapshot, languages, first, last)


def comment_around(
    snapshot: Snapshot, languages: Languages, start: int, end: int
) -> tuple[int, int] | None:
    """Return the comment, or the string that stands for one, in whole lines.

    Line comments below each other are one. A comment behind code is none.
    """
    line, last = snapshot.line_of(start), snapshot.line_of(end)
    covered = _commented_lines(snapshot, languages, line - MAX_COMMENT, last + MAX_COMMENT)
    if not all(number in covered for number in range(line, last + 1)):
        return None
    while line - 1 in covered:
        line -= 1
    while last + 1 in covered:
        last += 1
    return snapshot.line_range(line)[0], snapshot.line_range(last)[1]


def import_place(snapshot: Snapshot, languages: Languages) -> int:
    """Return the line start where another import belongs: behind the imports at the top.

    Without any, behind the comments and the string that a file may begin with.
    """
    query = languages.query(snapshot.language, "imports")
    if query is not None and snapshot.tree is not None:
        offsets = ByteOffsets(snapshot.text)
        root = snapshot.tree.root_node
        found = captures(query, snapshot.tree, 0, MAX_IMPORTS).get("import", ())
        top = [one.end_byte for node in found if (one := _statement(node, root)) is not None]
        if top:
            return _next_line(snapshot, offsets.to_offset(top[-1]))
    covered = _commented_lines(snapshot, languages, 0, MAX_COMMENT)
    line = 0
    while line in covered or (line + 1 in covered and not snapshot.line_text(line).strip()):
        line += 1
    return snapshot.line_starts[min(line, snapshot.line_count - 1)]


def import_lines(snapshot: Snapshot, languages: Languages) -> list[str]:
    """Return the import statements of a file, each as it is written."""
    query = languages.query(snapshot.language, "imports")
    if query is None or snapshot.tree is None:
        return []
    offsets, text = ByteOffsets(snapshot.text), snapshot.text
    nodes = captures(query, snapshot.tree, 0, MAX_IMPORTS).get("import", ())
    return [text[offsets.to_offset(n.start_byte) : offsets.to_offset(n.end_byte)] for n in nodes]


def lexical(snapshot: Snapshot, languages: Languages, start: int, end: int) -> list[Span]:
    """Return the comments and strings that touch a range, in the order of the text."""
    query = languages.query(snapshot.language, "lexical")
    if query is None or snapshot.tree is None:
        return []
    offsets = ByteOffsets(snapshot.text)
    found = captures(query, snapshot.tree, offsets.to_byte(start), offsets.to_byte(end))
    spans = [
        Span(kind, offsets.to_offset(node.start_byte), offsets.to_offset(node.end_byte))
        for kind, nodes in found.items()
        for node in nodes
    ]
    return sorted(spans, key=lambda span: (span.start, -span.end))


def line_start(snapshot: Snapshot, offset: int) -> int:
    """Return where the line of ``offset`` begins."""
    return snapshot.line_range(snapshot.line_of(offset))[0]


def line_end(snapshot: Snapshot, offset: int) -> int:
    """Return where the line of ``offset`` ends, its terminator excluded."""
    return snapshot.line_range(snapshot.line_of(offset))[1]


def _holding(
    snapshot: Snapshot, languages: Languages, start: int, end: int, kinds: Sequence[str]
) -> list[Symbol]:
    """Return what holds the whole range, the outermost first; without kinds those of any."""
    query = languages.query(snapshot.language, "symbols")
    if query is None:
        return []
    low = snapshot.line_range(snapshot.line_of(start))[0]
    high = snapshot.line_range(snapshot.line_of(end))[1]
    holding = [
        symbol
        for symbol in symbols(snapshot, query, low, max(high, low + 1))
        if line_start(snapshot, symbol.start) <= start
        and end <= line_end(snapshot, symbol.end)
        and (symbol.kind in kinds or not kinds)
    ]
    return sorted(holding, key=lambda one: one.end - one.start)[::-1]


def _statement(node: Node, root: Node) -> Node | None:
    """Return the statement at the top of the file that a node is part of; None inside a block."""
    while node.parent is not None and node.parent != root:
        node = node.parent
        if any(node.child_by_field_name(field) is not None for field in ("body", "consequence")):
            return None
    return node


def _next_line(snapshot: Snapshot, offset: int) -> int:
    # Some grammars count the line break as a part of the statement.
    line = snapshot.line_of(max(offset - 1, 0)) + 1
    return snapshot.line_starts[line] if line < snapshot.line_count else len(snapshot.text)


def _definition(snapshot: Snapshot, languages: Languages, symbol: Symbol) -> Definition:
    start, end = line_start(snapshot, symbol.start), line_end(snapshot, symbol.end)
    body = _body(snapshot, languages, symbol) or (end, end)
    return Definition(symbol.kind, symbol.name, start, end, *body)


def _body(snapshot: Snapshot, languages: Languages, symbol: Symbol) -> tuple[int, int] | None:
    """Return the outermost body inside a definition.

    The body of a class begins where its first method does, so it must begin further behind.
    """
    query = languages.query(snapshot.language, "scopes")
    if query is None or snapshot.tree is None:
        return None
    offsets = ByteOffsets(snapshot.text)
    first, last = offsets.to_byte(symbol.start), offsets.to_byte(symbol.end)
    for node in captures(query, snapshot.tree, first, last).get("body", ()):
        if first < node.start_byte and node.end_byte <= last:
            return offsets.to_offset(node.start_byte), offsets.to_offset(node.end_byte)
    return None


def _commented_lines(snapshot: Snapshot, languages: Languages, first: int, last: int) -> set[int]:
    """Return the lines that hold a comment, or a string that stands alone, and nothing else."""
    start = snapshot.line_starts[max(first, 0)]
    end = snapshot.line_range(min(last, snapshot.line_count - 1))[1]
    doc = snapshot.language.doc_comment
    strings_count = doc is not None and doc.place is DocPlace.INSIDE
    covered: set[int] = set()
    for span in lexical(snapshot, languages, start, end):
        if span.kind != "comment" and not strings_count:
            continue
        # A few grammars count the line break as a part of the comment.
        end = max(span.start, span.start + len(snapshot.text[span.start : span.end].rstrip()))
        before = snapshot.text[line_start(snapshot, span.start) : span.start]
        after = snapshot.text[end : line_end(snapshot, end)]
        if not before.strip() and not after.strip():
            covered.update(range(snapshot.line_of(span.start), snapshot.line_of(end) + 1))
    return covered


def _without_comments(snapshot: Snapshot, languages: Languages, first: int, last: int) -> int:
    """Return where the code between two offsets ends, without the comments behind it."""
    for span in reversed(lexical(snapshot, languages, first, last)):
        if span.kind == "comment" and not snapshot.text[span.end : last].strip():
            last = max(span.start, first)
    return last


def _bare(snapshot: Snapshot, languages: Languages, first: int, last: int) -> tuple[int, int]:
    """Return the code between two offsets, without the comments and the string before it."""
    text, doc = snapshot.text, snapshot.language.doc_comment
    strings_count = doc is not None and doc.place is DocPlace.INSIDE
    for span in lexical(snapshot, languages, first, last):
        if span.start < first or text[first : span.start].strip():
            continue
        if span.kind == "comment" or strings_count:
            first = min(span.end, last)
            strings_count = strings_count and span.kind == "comment"
    code = text[first:last]
    if not code.strip():
        end = first + len(code) - len(code.lstrip(" \t"))
        return (end, end) if text[:first].endswith("{") else (first, first)
    return first + len(code) - len(code.lstrip()), first + len(code.rstrip())
