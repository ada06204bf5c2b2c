"""What every evaluation has in common: which rows, what they come to, and handing it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType

from fimble.errors import FimbleError
from fimble.measure.eval.figures import FIMBLE, OfRow, groups, of_group
from fimble.measure.eval.rows import Grouped

FILE_WIDTH: Final = 200
"""Where no terminal says how wide it is, the table shall not be broken."""


def of_groups(rows: Sequence[Grouped], only: Sequence[str]) -> list[Grouped]:
    """Return the rows of some groups, of all if none is named; raises `FimbleError`."""
    known = groups(rows)
    if unknown := [name for name in only if name not in known]:
        raise FimbleError(f"There are no rows `{unknown[0]}`, but {', '.join(known)}.")
    return [row for row in rows if not only or row.group in only]


def portion(rows: Sequence[Grouped], skip: int, count: int) -> list[Grouped]:
    """Return ``count`` rows, 0 for all, behind those to skip; raises `FimbleError` without any."""
    found = list(rows[skip:])
    found = found[:count] if count else found
    if not found:
        raise FimbleError("There are no rows left to measure.")
    return found


def summed_up(
    sides: Mapping[str, Sequence[OfRow]],
    figures: Callable[[Sequence[OfRow]], Mapping[str, Any]],
    comparison: Callable[[Sequence[OfRow], Sequence[OfRow]], Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the figures of each group and side, and what the other sides are to the first."""
    names = groups([one.row for one in sides[FIMBLE]])
    return {
        "groups": {
            group: {side: figures(of_group(judged, group)) for side, judged in sides.items()}
            for group in names
        },
        "paired": {
            group: {
                side: comparison(of_group(sides[FIMBLE], group), of_group(judged, group))
                for side, judged in sides.items()
                if side != FIMBLE
            }
            for group in names
        },
    }


def hand_out(
    report: Mapping[str, Any], shown: Iterable[RenderableType], json_file: Path | None
) -> None:
    """Print what is to be seen of a report, and write all of it to a file if one is named."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    for one in shown:
        console.print(one)
    if json_file:
        json_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
