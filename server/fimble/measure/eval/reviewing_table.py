"""The report of an evaluation of reviews on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fimble.measure.eval.figures import AGAINST, FIMBLE
from fimble.measure.eval.table import machine_line, new_table, paired_lines, share, side_lines

_COLUMNS: Final = {
    "first": "first hint",
    "among": "first three",
    "mended": "mended",
    "alarmed": "correct, hinted",
}


def review_table(report: Mapping[str, Any]) -> Group:
    """Return everything an evaluation found."""
    return Group(_rates(report), Text(), *(Text(line) for line in _sentences(report)))


def _rates(report: Mapping[str, Any]) -> Table:
    table = new_table("Shares with their 95 % intervals; times in milliseconds")
    for heading in ("rows", *_COLUMNS.values(), "hints", "hints if correct", "p50", "p95"):
        table.add_column(heading, justify="right")
    for group, side, found in side_lines(report):
        table.add_row(
            group,
            side,
            str(found["rows"]),
            *(share(found[name]) for name in _COLUMNS),
            f"{found['hints_wrong']:.2f}",
            f"{found['hints_correct']:.2f}",
            f"{found['ms_p50']:.0f}",
            f"{found['ms_p95']:.0f}",
        )
    return table


def _sentences(report: Mapping[str, Any]) -> list[str]:
    lines = paired_lines(report)
    if report["against"] is not None:
        lines.append(f"{AGAINST}: with {report['against']}")
    lines.append("first hint, first three: the mistake is on their lines; mended: as it should be")
    lines.append(f"model: {report['model'].get('name', '')}")
    lines.append(machine_line(report))
    return lines


def show_programs(each: Sequence[Mapping[str, Any]]) -> Text:
    """Return programs as a reader can judge them: their lines with the hints beside them."""
    text = Text()
    for row in each:
        text.append(f"── {row['id']} ({row['group']})\n", style="bold")
        for side in (FIMBLE, AGAINST):
            if side in row:
                text.append(_told(side, row))
    return text


def _told(side: str, row: Mapping[str, Any]) -> str:
    told = ""
    for name, version in (("hints", "buggy"), ("alarms", "correct")):
        lines = row[version].splitlines()
        told += f"{side}, {version}, {len(row[side][name])} hints\n"
        for one in row[side][name]:
            mark = "!" if version == "buggy" and one["line"] in row["wrong"] else " "
            told += f" {mark}{one['line'] + 1:4} {lines[one['line']]}\n       {one['message']}\n"
    return told
