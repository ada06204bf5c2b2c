"""Lets the whole server review programs, and counts how often the hints are where the mistake is.

The program without the mistake is reviewed too: every hint there is a false alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any, Final

import psutil

from fimble.features.review import KIND
from fimble.measure.eval.act import LATE, RESOLVE_SECONDS
from fimble.measure.eval.acting import TaskPlan
from fimble.measure.eval.ask import Tick, running, workspace, write_files
from fimble.measure.eval.figures import spread, versus
from fimble.measure.eval.programs import ProgramRow, load_programs
from fimble.measure.eval.report import hand_out, of_groups, portion, summed_up
from fimble.measure.eval.reviewing_table import review_table, show_programs
from fimble.measure.eval.sides import circumstances, new_progress, of_servers
from fimble.measure.eval.stats import paired, rate
from fimble.measure.figures import percentile
from fimble.measure.typist import open_document
from fimble.protocol.client import EditorClient

FEW: Final = 3
"""So many hints a user looks at."""


@dataclass(frozen=True, slots=True)
class Told:
    """A hint as it is published: its place, from 0, what it says, and the text it brings along."""

    line: int
    column: int
    message: str
    text: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The hints for a program with its mistake and without, the first one first; and how long."""

    row: ProgramRow
    hints: tuple[Told, ...]
    alarms: tuple[Told, ...]
    ms: tuple[float, float]

    def found_within(self, count: int) -> bool:
        """Tell whether one of the first hints is where the mistake is."""
        return any(one.line in self.row.wrong for one in self.hints[:count])

    @property
    def mended(self) -> bool:
        """Whether one of the hints brings the line as it should be."""
        lines = self.row.buggy.splitlines()
        right = {_squeezed(line) for line in self.row.correct.splitlines()}
        return any(
            one.line in self.row.wrong
            and _squeezed(lines[one.line][: one.column] + one.text) in right
            for one in self.hints
        )


def evaluate_reviews(plan: TaskPlan, *, show: int, json_file: Path | None) -> int:
    """Measure, print a table, and write what was asked for; raises `FimbleError`."""
    report = asyncio.run(measure_reviews(plan))
    rows = [show_programs(report["each"][:show])] if show else []
    hand_out(report, [*rows, review_table(report)], json_file)
    return 0


async def measure_reviews(plan: TaskPlan) -> dict[str, Any]:
    """Run everything and return the report."""
    rows = of_groups(load_programs(plan.data, plan.seed), plan.only)
    rows = portion(rows, plan.skip, plan.rows)
    load_before = psutil.getloadavg()[0]
    with new_progress() as progress:
        sides, status = await of_servers(plan, len(rows), progress, partial(review_rows, rows))
    return {
        **circumstances(plan, status, load_before),
        **summed_up(sides, review_figures, review_comparison),
        "each": [
            {
                **asdict(row),
                **{
                    side: {name: asdict(found[at])[name] for name in ("hints", "alarms", "ms")}
                    for side, found in sides.items()
                },
            }
            for at, row in enumerate(rows)
        ],
    }


async def review_rows(
    rows: Sequence[ProgramRow], settings: Mapping[str, Any], tick: Tick
) -> tuple[list[Reviewed], dict[str, Any]]:
    """Review all programs, one after the other; return that and the last ``fimble/status``.

    Raises `FimbleError` if the server cannot answer.
    """
    found: list[Reviewed] = []
    with workspace() as folder:
        async with running(settings, folder) as (editor, status):
            for row in rows:
                tick(len(found))
                hints, first = await _hints(editor, folder, row, row.buggy)
                alarms, second = await _hints(editor, folder, row, row.correct)
                found.append(Reviewed(row, hints, alarms, (first, second)))
    tick(len(found))
    return found, status


async def _hints(
    editor: EditorClient, folder: Path, row: ProgramRow, text: str
) -> tuple[tuple[Told, ...], float]:
    """Review a function of a file that was just opened; what is late is a hint that is wrong."""
    write_files(folder, ((row.path, text),))
    uri, at = (folder / row.path).as_uri(), row.place(text)
    open_document(editor, uri, text)
    await editor.flush()
    started = perf_counter()
    [action] = await editor.code_actions(uri, at, at, only=[KIND])
    request, answer = editor.ask("codeAction/resolve", action)
    try:
        await asyncio.wait_for(answer, RESOLVE_SECONDS)
        told = tuple(_told(one) for one in editor.diagnostics.get(uri, ()))
    except TimeoutError:
        editor.cancel(request)
        told = (Told(-1, 0, LATE, ""),)
    ms = (perf_counter() - started) * 1000
    editor.close_document(uri)
    await editor.flush()
    return told, ms


def _told(hint: Mapping[str, Any]) -> Told:
    related = hint.get("relatedInformation") or [{"message": ""}]
    start = hint["range"]["start"]
    return Told(start["line"], start["character"], hint["message"], related[0]["message"])


def _squeezed(text: str) -> str:
    return "".join(text.split())


def review_figures(found: Sequence[Reviewed]) -> dict[str, Any]:
    """Sum up one side of one group; times in milliseconds, everything else shares and counts."""
    times = [ms for one in found for ms in one.ms]
    return {
        "rows": len(found),
        "first": spread(rate(one.found_within(1) for one in found)),
        "among": spread(rate(one.found_within(FEW) for one in found)),
        "mended": spread(rate(one.mended for one in found)),
        "alarmed": spread(rate(bool(one.alarms) for one in found)),
        "hints_wrong": round(mean(len(one.hints) for one in found), 2),
        "hints_correct": round(mean(len(one.alarms) for one in found), 2),
        "ms_p50": round(median(times), 1),
        "ms_p95": round(percentile(times, 0.95), 1),
    }


def review_comparison(first: Sequence[Reviewed], second: Sequence[Reviewed]) -> dict[str, Any]:
    """Compare two sides on the same programs, which stand in the same order."""
    pairs = list(zip(first, second, strict=True))
    return {
        name: versus(paired((a.found_within(count), b.found_within(count)) for a, b in pairs))
        for name, count in (("first", 1), ("among", FEW))
    }
