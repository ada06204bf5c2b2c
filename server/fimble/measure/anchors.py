"""``fimble bench anchors``: how far above the cursor the prompt is best anchored.

Missing lines are asked for at four kinds of places, each with the classic prompt (everything before
the cursor comes before the suffix, the word under the cursor healed) and with anchors at several
distances, on the same rows. Through the engine alone: no gate and no trimming.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from fimble.engine.base import Engine
from fimble.measure.eval.rows import Cursor, Row, Suite, load
from fimble.measure.eval.stats import paired, rate
from fimble.measure.once import settings_of, start_engine
from fimble.prompt.fim import prompt_for
from fimble.prompt.layout import ANCHOR_LINES, Layout

GROUPS: Final = {"python": "single-line", "javascript": "line js", "java": "line java"}
DISTANCES: Final = (0, ANCHOR_LINES, 6)
"""Lines between the anchor and the cursor line."""
BLOCK_LINES: Final = 6
"""So much longer has the delta become when a block was accepted."""
MAX_TOKENS: Final = 48
CLASSIC: Final = "classic"
_WORD: Final = re.compile(r"\w{1,8}\Z|.\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """One row at one kind of place in one form, and whether the line came out right."""

    language: str
    place: str
    form: str
    row: str
    right: bool


def anchors(data: Path, rows: int, model: str | None, report: Path | None) -> int:
    """Print a table for each language; ``rows`` of each. Raises `FimbleError` without the data."""
    chosen = {
        language: [row for row in load(Suite.INFILLING, data, Cursor.START, 0) if row.group == name]
        for language, name in GROUPS.items()
    }
    asked = asyncio.run(_ask_all({name: some[:rows] for name, some in chosen.items()}, model))
    console = Console(highlight=False, markup=False)
    for language in GROUPS:
        console.print(_table(language, [one for one in asked if one.language == language]))
    console.print(_table("all", asked))
    figures = _figures(asked)
    if report is not None:
        report.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print(json.dumps({"suite": "anchors", "rows": rows, "cells": len(figures)}))
    return 0


async def _ask_all(chosen: Mapping[str, Sequence[Row]], model: str | None) -> list[Asked]:
    engine = await start_engine(settings_of({"optimize": "never"}, model))
    try:
        return [
            Asked(language, place, form, row.id, await _is_right(engine, at, layout))
            for language, rows in chosen.items()
            for row in rows
            for place, at in _places(row)
            for form, layout in _forms(place, at)
        ]
    finally:
        await engine.close()


def _places(row: Row) -> Iterator[tuple[str, Row]]:
    """Put the cursor at the line's start, inside its first word, and at the end of the line above.

    The last kind, behind a block that was just accepted, is inside the word with a longer delta.
    """
    yield "line start", row
    word = re.search(r"(?<=\w\w)(?=\w)", row.missing)
    if word:
        at = word.start()
        inside = replace(row, before=row.before + row.missing[:at], missing=row.missing[at:])
        yield "inside a word", inside
        yield "after a block", inside
    if row.before.endswith("\n"):
        yield "line end", replace(row, before=row.before[:-1], missing=f"\n{row.missing}")


def _forms(place: str, row: Row) -> Iterator[tuple[str, Layout]]:
    word = _WORD.search(row.before)
    yield CLASSIC, _layout(row, word.start() if word else len(row.before))
    longer = BLOCK_LINES if place == "after a block" else 0
    for distance in DISTANCES:
        yield f"{distance} lines", _layout(row, _lines_above(row.before, distance + longer))


def _lines_above(text: str, count: int) -> int:
    """Return the start of the line that is ``count`` above the last one."""
    at = len(text)
    for _ in range(count + 1):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return 0
    return at + 1


def _layout(row: Row, anchor: int) -> Layout:
    return Layout(
        uri="",
        path=row.path,
        prefix=row.before[:anchor],
        suffix=row.after,
        delta=row.before[anchor:],
        start=0,
        anchor=anchor,
        length=len(row.text),
        to_end=True,
    )


async def _is_right(engine: Engine, row: Row, layout: Layout) -> bool:
    """Whether the first line that is not blank is the missing one."""
    info = engine.status.info
    assert info is not None, "a started engine has a model"
    text = ""
    async with engine.generate(prompt_for(layout, info), max_tokens=MAX_TOKENS) as generation:
        async for piece in generation:
            text += piece.text
            if "\n" in (text.lstrip() if row.missing.startswith("\n") else text):
                break
    if row.missing.startswith("\n"):
        return _first_line(text.lstrip()) == row.missing.strip()
    return _first_line(text) == row.missing.rstrip()


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip()


def _table(title: str, asked: Sequence[Asked]) -> Table:
    """Rows are kinds of places; each form's share that is right, and its difference to classic."""
    forms = list(dict.fromkeys(one.form for one in asked))
    table = Table(title=title, box=None)
    for heading in ("place", "rows", *forms):
        table.add_column(heading)
    for place in dict.fromkeys(one.place for one in asked):
        cell = [one for one in asked if one.place == place]
        by_form = {form: _right(cell, form) for form in forms}
        values = [
            f"{rate(rights.values()).share:.2f}{_against(by_form[CLASSIC], rights)}"
            for rights in by_form.values()
        ]
        table.add_row(place, str(len(by_form[CLASSIC])), *values)
    return table


def _right(asked: Sequence[Asked], form: str) -> dict[tuple[str, str], bool]:
    return {(one.language, one.row): one.right for one in asked if one.form == form}


def _against(classic: Mapping[tuple[str, str], bool], other: Mapping[tuple[str, str], bool]) -> str:
    if other is classic:
        return ""
    split = paired((other[row], classic[row]) for row in classic)
    return f" (+{split.only_first} -{split.only_second}, p {split.p:.2g})"


def _figures(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    cells: dict[tuple[str, str, str], list[bool]] = {}
    for one in asked:
        cells.setdefault((one.language, one.place, one.form), []).append(one.right)
    return [
        {"language": language, "place": place, "form": form, "right": sum(some), "rows": len(some)}
        for (language, place, form), some in cells.items()
    ]
