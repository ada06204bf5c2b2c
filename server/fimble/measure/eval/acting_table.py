"""The report of an evaluation of actions on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import unified_diff
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fimble.measure.eval.figures import AGAINST, FIMBLE, PLAIN
from fimble.measure.eval.table import difference, machine_line, new_table, share, side_lines

SIDES: Final = (FIMBLE, AGAINST, PLAIN)
_COLUMNS: Final = {
    "done": "done",
    "right": "right",
    "right_of_done": "right if done",
    "parses_no_worse": "parses",
    "inside": "in range",
}


def deed_table(report: Mapping[str, Any]) -> Group:
    """Return everything an evaluation found."""
    return Group(_rates(report), Text(), *(Text(line) for line in _sentences(report)))


def _rates(report: Mapping[str, Any]) -> Table:
    table = new_table("Shares with their 95 % intervals; times in milliseconds")
    for heading in (
        "rows",
        *_COLUMNS.values(),
        "verified",
        "p50",
        "p95",
        "first p95",
        "listed p95",
    ):
        table.add_column(heading, justify="right")
    for group, side, found in side_lines(report):
        first = found["first_ms_p95"]
        table.add_row(
            group,
            side,
            str(found["rows"]),
            *(share(found[name]) for name in _COLUMNS),
            f"{found['verified']} ({found['verified_wrong']} wrong)",
            f"{found['ms_p50']:.0f}",
            f"{found['ms_p95']:.0f}",
            "-" if first is None else f"{first:.0f}",
            "-" if side == PLAIN else f"{found['list_ms_p95']:.0f}",
        )
    return table


def _sentences(report: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{group}: fimble to {side}: {difference(found['right'])}"
        for group, sides in report["paired"].items()
        for side, found in sides.items()
    ]
    for group, sides in report["groups"].items():
        for side, found in sides.items():
            told = ", ".join(f"{said} {count}" for said, count in found["reasons"].items())
            if told:
                lines.append(f"{group}, {side}, not done: {told}")
    if AGAINST in next(iter(report["groups"].values())):
        lines.append(f"{AGAINST}: with {report['against']}")
    lines += report["notes"]
    lines.append(f"{PLAIN}: one greedy answer of the model in a conversation, as it is")
    lines.append(f"model: {report['model'].get('name', '')}")
    lines.append(machine_line(report))
    return lines


def show_tasks(each: Sequence[Mapping[str, Any]]) -> Text:
    """Return rows as a reader can judge them: what is wrong, and what each side changed."""
    text = Text()
    for row in each:
        text.append(f"── {row['id']} ({row['group']})\n", style="bold")
        if row["message"]:
            text.append(f"{row['message']}\n")
        for side in SIDES:
            if side in row:
                text.append(_told(side, row["text"], row[side]))
    return text


def _told(side: str, before: str, deed: Mapping[str, Any]) -> str:
    verdict = deed["verdict"]
    marks = [name for name in ("right", "worse", "outside") if verdict[name]]
    told = f"{side}: [{', '.join(marks) or 'wrong'}] {deed['ms']:.0f} ms {deed['said']}\n"
    if deed["text"] is not None:
        old, new = before.splitlines(), deed["text"].splitlines()
        told += "".join(
            f"  {line}\n" for line in list(unified_diff(old, new, lineterm="", n=1))[2:]
        )
    return told + (f"  -> {verdict['why']}\n" if verdict["why"] else "")
