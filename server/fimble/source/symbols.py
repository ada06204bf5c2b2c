"""What a file defines: the functions, classes, headings and keys its language's query names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.source.tree import ByteOffsets, matches

if TYPE_CHECKING:
    from tree_sitter import Node, Query

    from fimble.source.text import Snapshot

_PREFIX: Final = "definition."


@dataclass(frozen=True, slots=True)
class Symbol:
    """One definition.

    ``kind`` is what follows ``@definition.`` in `symbols.scm`: function, method, class,
    interface, enum, type, module, implementation, constant, variable, macro; in data and markup
    also section, key, rule, element, index. ``start`` and ``end`` are the offsets of the whole
    definition, ``name_start`` that of its name.
    """

    kind: str
    name: str
    start: int
    end: int
    name_start: int


def symbols(
    snapshot: Snapshot, query: Query, start: int = 0, end: int | None = None
) -> list[Symbol]:
    """Return the definitions that touch ``text[start:end]``, in the order of the text.

    Where two patterns match one definition, the later pattern in the file says its kind. A
    pattern without ``@name`` means the node's field of that name. An unparsed snapshot has none.
    """
    if snapshot.tree is None:
        return []
    offsets = ByteOffsets(snapshot.text)
    start_byte = offsets.to_byte(start)
    end_byte = offsets.to_byte(len(snapshot.text) if end is None else end)
    found: dict[tuple[int, int], tuple[int, str, Node, Node]] = {}
    for pattern, captures in matches(query, snapshot.tree, start_byte, end_byte):
        kind = next(capture for capture in captures if capture.startswith(_PREFIX))
        node = captures[kind][0]
        name = captures["name"][0] if "name" in captures else node.child_by_field_name("name")
        if name is None or node.start_byte >= end_byte or node.end_byte <= start_byte:
            continue
        known = found.get(name.byte_range)
        if known is None or known[0] <= pattern:
            found[name.byte_range] = (pattern, kind, node, name)
    return [
        _symbol(snapshot.text, offsets, kind, node, name)
        for _, (_, kind, node, name) in sorted(found.items())
    ]


def _symbol(text: str, offsets: ByteOffsets, kind: str, node: Node, name: Node) -> Symbol:
    name_start, name_end = offsets.to_offset(name.start_byte), offsets.to_offset(name.end_byte)
    return Symbol(
        kind=kind.removeprefix(_PREFIX),
        name=" ".join(text[name_start:name_end].split()),
        start=offsets.to_offset(node.start_byte),
        end=offsets.to_offset(node.end_byte),
        name_start=name_start,
    )
