"""The report of an evaluation on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fimble.measure.eval.rows import Suite

SIDES: Final = ("fimble", "against", "raw")


def eval_table(report: Mapping[str, Any]) -> Group:
    """Return everything an evaluation found."""
    suite = Suite(report["suite"])
    quality = _rates(report, _QUALITY_OF_ITEMS if suite is Suite.ITEMS else _QUALITY)
    parts: list[Table | Text] = [quality, Text()]
    if suite is not Suite.ITEMS:
        parts += [_harm(report), Text()]
    parts += [Text(line) for line in _sentences(report)]
    return Group(*parts)


_QUALITY: Final = {
    "shown": "shown",
    "exact": "exact",
    "passed": "passes",
    "right_of_shown": "right if shown",
}
_QUALITY_OF_ITEMS: Final = {"shown": "listed any", "exact": "first", "listed": "in the first five"}


def _rates(report: Mapping[str, Any], columns: Mapping[str, str]) -> Table:
    table = new_table("Shares with their 95 % intervals; times in milliseconds")
    table.add_column("rows", justify="right")
    for heading in columns.values():
        table.add_column(heading, justify="right")
    for heading in ("edit sim.", "ident. F1", "p50", "p95"):
        table.add_column(heading, justify="right")
    for group, side, found in side_lines(report):
        table.add_row(
            group,
            side,
            str(found["rows"]),
            *(share(found[name]) for name in columns),
            f"{100 * found['similarity']:.1f}",
            f"{100 * found['identifier_f1']:.1f}",
            f"{found['ms_p50']:.0f}",
            f"{found['ms_p95']:.0f}",
        )
    return table


def _harm(report: Mapping[str, Any]) -> Table:
    table = new_table("Of what was shown")
    for heading in ("parses no worse", "once closed", "special tokens", "lines doubled"):
        table.add_column(heading, justify="right")
    for group, side, found in side_lines(report):
        table.add_row(
            group,
            side,
            share(found["parses_no_worse"]),
            share(found["parses_no_worse_closed"]),
            str(found["leaked"]),
            str(found["repeats"]),
        )
    return table


def new_table(title: str) -> Table:
    """Return a table whose first two columns are a group and a side."""
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("")
    table.add_column("")
    return table


def side_lines(report: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return each side of each group, the group's name only once."""
    return [
        (group if not index else "", side, found)
        for group, sides in report["groups"].items()
        for index, (side, found) in enumerate(sides.items())
    ]


def share(found: Mapping[str, Any] | None) -> str:
    """Return a rate with its interval."""
    if found is None or not found["count"]:
        return "-"
    return f"{found['share']:.1%} ({found['low']:.0%} to {found['high']:.0%})"


def _sentences(report: Mapping[str, Any]) -> list[str]:
    lines = paired_lines(report)
    for group, sides in report["groups"].items():
        for side, found in sides.items():
            reasons = sorted(found["reasons"].items(), key=lambda pair: -pair[1])
            told = ", ".join(f"{reason} {count}" for reason, count in reasons if reason)
            if told and side != "raw":
                lines.append(f"{group}, {side}: {told}")
    lines.append(f"model: {report['model'].get('name', '')}; cursor: {report['cursor']}")
    lines.append(machine_line(report))
    return lines


def paired_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what each comparison came to."""
    return [
        f"{group}: fimble to {side}, {name}: {difference(found)}"
        for group, sides in report["paired"].items()
        for side, comparisons in sides.items()
        for name, found in comparisons.items()
    ]


def machine_line(report: Mapping[str, Any]) -> str:
    """Return how busy the machine was."""
    load = report["machine"]
    return f"machine: load {load['load_before']} before and {load['load_after']} after"


def difference(found: Mapping[str, Any]) -> str:
    """Return a paired comparison in words."""
    points, low, high = (100 * found[name] for name in ("difference", "low", "high"))
    return (
        f"{points:+.1f} points ({low:+.0f} to {high:+.0f}), p = {found['p']:.2g};"
        f" {found['only_first']} rows against {found['only_second']}"
    )


def show_rows(each: Sequence[Mapping[str, Any]]) -> Text:
    """Return rows as a reader can judge them: where, what is missing, what each side says."""
    text = Text()
    for row in each:
        before = "\n".join(row["before"].split("\n")[-4:])
        after = "\n".join(row["after"].split("\n")[:3])
        text.append(f"── {row['id']} ({row['group']})\n", style="bold")
        text.append(before, style="dim")
        text.append("▌", style="reverse")
        text.append(f"{after}\n", style="dim")
        text.append(f"missing : {row['missing']!r}\n")
        for side in SIDES:
            if side in row:
                text.append(_told(side, row[side]))
    return text


def _told(side: str, answer: Mapping[str, Any]) -> str:
    score = answer["score"]
    marks = [name for name in _MARKS if score[name]]
    shown = " | ".join(repr(edit["text"]) for edit in answer["edits"]) or answer["reason"]
    return f"{side:8}: {shown} [{', '.join(marks) or 'wrong'}] {answer['ms']:.0f} ms\n"


_MARKS: Final = ("exact", "listed", "passed", "worse", "leaked", "repeats")
