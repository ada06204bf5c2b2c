"""Keystroke traces: recorded ones, and one that any source file can be turned into.

Recorded traces have the format of the public `editing-traces` collection: ``startContent``,
``endContent`` and ``txns``, each with ``patches`` of ``[position, deleted, inserted]``, positions
in code points.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from fimble.errors import FimbleError
from fimble.measure.once import read_text
from fimble.measure.places import EXAMPLES, keys_of

EXAMPLE: Final = EXAMPLES / "warehouse.py"
"""What is typed when the user names no file; only a source checkout has it."""
BODY_LINES: Final = range(3, 13)
"""How long a block is that is worth deleting and typing again."""
BODIES: Final = 3
TYPO_EVERY: Final = 11
ACCEPT_EVERY: Final = 17
TYPO: Final = "q"


class Kind(StrEnum):
    """What a step is to whoever sits at the keyboard."""

    TYPE = "type"
    ENTER = "enter"
    BACKSPACE = "backspace"
    EDIT = "edit"
    """Something else at the cursor: a paste, a pair of brackets, a selection replaced."""
    JUMP = "jump"
    """An edit away from the cursor: the mouse was used."""
    ACCEPT = "accept"
    """Take the suggestion that is shown, if any, look at the next one, and undo."""


@dataclass(frozen=True, slots=True)
class Patch:
    """At ``position``, take ``deleted`` code points away and put ``inserted`` there."""

    position: int
    deleted: int
    inserted: str


@dataclass(frozen=True, slots=True)
class Step:
    """One press of a key: patches to be applied one after the other, and where that leads."""

    kind: Kind
    patches: tuple[Patch, ...]
    cursor: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A text and the keys that change it; ``name`` is the file's name as the server gets it."""

    name: str
    start: str
    steps: tuple[Step, ...]

    def end(self) -> str:
        """Return the text after all steps."""
        text = self.start
        for step in self.steps:
            text = apply(text, step.patches)
        return text

    def stretch(self, skip: int, keys: int) -> Trace:
        """Return ``keys`` steps (0: all) after the first ``skip``; raises `FimbleError`."""
        chosen = self.steps[skip : skip + keys if keys else None]
        if not chosen:
            raise FimbleError(f"The trace has only {len(self.steps)} keys.", "Skip fewer.")
        start = replace(self, steps=self.steps[:skip]).end()
        return replace(self, start=start, steps=chosen)

    def without(self, kind: Kind) -> Trace:
        """Return the trace without steps of a kind that changes no text."""
        return replace(self, steps=tuple(step for step in self.steps if step.kind is not kind))


def apply(text: str, patches: Sequence[Patch]) -> str:
    """Return ``text`` with the patches applied one after the other."""
    for patch in patches:
        after = patch.position + patch.deleted
        text = text[: patch.position] + patch.inserted + text[after:]
    return text


def load(file: Path | None, name: str | None) -> Trace:
    """Return a recorded trace (.json, .json.gz), or one made from a source file.

    Raises `FimbleError`. Without a file it is the example that comes with the source code.
    """
    if file is None:
        if not EXAMPLE.is_file():
            raise FimbleError(
                "The example file is not here: it comes with the source code.",
                "Name a recorded trace or a source file of your own; it is not changed.",
            )
        file = EXAMPLE
    if file.name.endswith((".json", ".json.gz")):
        return read_trace(file, name)
    return typed_into_itself(name or file.name, read_text(file))


# --- recorded ---------------------------------------------------------------------------------


class _Transaction(msgspec.Struct):
    patches: list[tuple[int, int, str]]


class _Recorded(msgspec.Struct, rename="camel"):
    start_content: str
    end_content: str
    txns: list[_Transaction]


def read_trace(file: Path, name: str | None) -> Trace:
    """Read a recorded trace and check that it leads to where it says; raises `FimbleError`."""
    try:
        data = file.read_bytes()
        if file.name.endswith(".gz"):
            data = gzip.decompress(data)
        recorded = msgspec.json.decode(data, type=_Recorded)
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise FimbleError(f"{file} is no keystroke trace: {error}.") from error
    changes = [tuple(Patch(*one) for one in txn.patches) for txn in recorded.txns if txn.patches]
    trace = Trace(
        name or _guessed_name(recorded.end_content),
        recorded.start_content,
        tuple(_steps(changes, len(recorded.start_content))),
    )
    if trace.end() != recorded.end_content:
        raise FimbleError(f"{file} is no keystroke trace: its keys do not lead to its end.")
    return trace


def _guessed_name(text: str) -> str:
    return "trace.html" if text.lstrip().startswith("<") else "trace.txt"


def _steps(changes: Sequence[tuple[Patch, ...]], cursor: int) -> Iterator[Step]:
    for index, patches in enumerate(changes):
        kind = _kind(patches, cursor)
        following = changes[index + 1] if index + 1 < len(changes) else ()
        cursor = _cursor(patches, following)
        yield Step(kind, patches, cursor)


def _kind(patches: tuple[Patch, ...], cursor: int) -> Kind:
    first = patches[0]
    if not first.position <= cursor <= first.position + first.deleted:
        return Kind.JUMP
    if len(patches) > 1:
        return Kind.EDIT
    if not first.inserted and first.deleted == 1:
        return Kind.BACKSPACE
    if first.deleted or not first.inserted:
        return Kind.EDIT
    if first.inserted[0] in "\r\n" and not first.inserted.strip():
        return Kind.ENTER
    return Kind.TYPE if len(first.inserted) == 1 else Kind.EDIT


def _cursor(patches: tuple[Patch, ...], following: tuple[Patch, ...]) -> int:
    """Return where the cursor stands: behind what was inserted, or inside it.

    Editors insert pairs of brackets and leave the cursor between them; the next key tells.
    """
    last = patches[-1]
    behind = last.position + len(last.inserted)
    if following:
        place = following[-1].position + following[-1].deleted
        if last.position <= place <= behind:
            return place
    return behind


# --- made from a source file ------------------------------------------------------------------


def typed_into_itself(name: str, text: str) -> Trace:
    """Delete blocks of the text and type them again, with slips of the finger and accepts.

    The same text gives the same trace, and its end is the text. Raises `FimbleError` if there is
    no block of a good size.
    """
    blocks = find_blocks(text)
    if not blocks:
        raise FimbleError(f"{name} has no indented block of {BODY_LINES.start} lines or more.")
    spread = sorted({len(blocks) * part // (2 * BODIES) for part in range(1, 2 * BODIES, 2)})
    chosen = [blocks[index] for index in spread]
    order = chosen[::2] + chosen[1::2]  # there and back
    return Trace(name, text, tuple(step for block in order for step in _retyped(text, *block)))


def find_blocks(text: str) -> list[tuple[int, int]]:
    """Return indented blocks of a good size that do not overlap, as offsets.

    Each begins at the end of the line above it and ends at the end of its own last line.
    """
    lines = [match.span() for match in re.finditer(r"[^\r\n]+", text)]
    widths = [_indent(text[start:end]) for start, end in lines]
    blocks = []
    index = 0
    while index < len(lines) - 1:
        end = index + 1
        while end < len(lines) and widths[end] > widths[index]:
            end += 1
        if end - index - 1 in BODY_LINES:
            blocks.append((lines[index][1], lines[end - 1][1]))
            index = end - 1
        index += 1
    return blocks


def _indent(line: str) -> int:
    """Return a line's indentation; one of white space only does not end any block."""
    return len(line) - len(line.lstrip()) if line.strip() else len(line) + 1000


def _retyped(text: str, start: int, end: int) -> Iterator[Step]:
    yield Step(Kind.JUMP, (Patch(start, end - start, ""),), start)
    cursor = start
    for count, key in enumerate(keys_of(text[start:end]), start=1):
        if count % TYPO_EVERY == 0:
            yield Step(Kind.TYPE, (Patch(cursor, 0, TYPO),), cursor + len(TYPO))
            yield Step(Kind.BACKSPACE, (Patch(cursor, len(TYPO), ""),), cursor)
        kind = Kind.ENTER if key[0] in "\r\n" else Kind.TYPE
        patch = Patch(cursor, 0, key)
        cursor += len(key)
        yield Step(kind, (patch,), cursor)
        if count % ACCEPT_EVERY == 0:
            yield Step(Kind.ACCEPT, (), cursor)
