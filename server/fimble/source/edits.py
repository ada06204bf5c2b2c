"""Edits of a text: how small they can be, and where they belong once the text has moved on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate

from fimble.source.text import line_starts


@dataclass(frozen=True, slots=True)
class Edit:
    """``text`` replaces what lies between the offsets ``start`` and ``end``."""

    start: int
    end: int
    text: str


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return the text after edits that do not overlap, in any order."""
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def line_edits(old: str, new: str, start: int = 0) -> tuple[Edit, ...]:
    """Return what turns ``old``, which begins at offset ``start``, into ``new``: whole lines."""
    before, after = _lines(old), _lines(new)
    places = [start, *accumulate((len(line) for line in before), initial=start)][1:]
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return tuple(
        Edit(places[i1], places[i2], "".join(after[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    )


def rebased(edits: Sequence[Edit], change: Edit) -> tuple[Edit, ...] | None:
    """Return where the edits belong after ``change`` was made; None if it touched one of them."""
    shift = len(change.text) - (change.end - change.start)
    moved: list[Edit] = []
    for edit in edits:
        if edit.end < change.start:
            moved.append(edit)
        elif edit.start > change.end:
            moved.append(replace(edit, start=edit.start + shift, end=edit.end + shift))
        else:
            return None
    return tuple(moved)


def _lines(text: str) -> list[str]:
    return list(_cut(text, line_starts(text)))


def _cut(text: str, starts: Sequence[int]) -> Iterator[str]:
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        if end > start:
            yield text[start:end]
