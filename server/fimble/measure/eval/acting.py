"""Puts tasks to the actions of one server or several and to the bare model, and reports."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil

from fimble.errors import FimbleError
from fimble.measure.chosen import laid_over
from fimble.measure.driver import options
from fimble.measure.eval.act import Deed, act_on_rows
from fimble.measure.eval.acting_table import deed_table, show_tasks
from fimble.measure.eval.execute import Runner
from fimble.measure.eval.figures import PLAIN
from fimble.measure.eval.plain import plain_rows
from fimble.measure.eval.report import hand_out, of_groups, portion, summed_up
from fimble.measure.eval.rows import Suite
from fimble.measure.eval.sides import circumstances, new_progress, of_servers, ticking
from fimble.measure.eval.tasks import TaskRow, load_tasks
from fimble.measure.eval.verdict import JudgedDeed, deed_comparison, deed_figures, judge
from fimble.measure.once import start_engine
from fimble.settings import read
from fimble.source.languages import Languages

RUNNING: Final[Mapping[str, Any]] = {"verify": {"execute": "always"}}
"""What the second side of `implement` may do, unless the command says what may be run."""


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """What to measure. ``rows`` 0 means all; ``skip`` comes before them.

    ``against`` are settings that lay over ``settings`` for a second run of the same rows; with
    ``plain`` the bare model gives its greedy answer too.
    """

    suite: Suite
    data: Path
    rows: int = 0
    skip: int = 0
    seed: int = 0
    only: Sequence[str] = ()
    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    against: Mapping[str, Any] | None = None
    plain: bool = True


def evaluate_tasks(plan: TaskPlan, *, show: int, json_file: Path | None) -> int:
    """Measure, print a table, and write what was asked for; raises `FimbleError`."""
    report = asyncio.run(measure_tasks(plan))
    rows = [show_tasks(report["each"][:show])] if show else []
    hand_out(report, [*rows, deed_table(report)], json_file)
    return 0


async def measure_tasks(plan: TaskPlan) -> dict[str, Any]:
    """Run everything and return the report."""
    languages, runner = Languages.load(), await Runner.ready()
    rows, notes = await chosen_tasks(plan, runner)
    load_before = psutil.getloadavg()[0]
    deeds, status = await _sides(plan, rows)
    sides = {
        name: [
            JudgedDeed(row, deed, await judge(row, deed, languages, runner))
            for row, deed in zip(rows, done, strict=True)
        ]
        for name, done in deeds.items()
    }
    return {
        **circumstances(plan, status, load_before),
        "notes": notes,
        **summed_up(sides, deed_figures, deed_comparison),
        "each": _each(rows, sides),
    }


async def chosen_tasks(plan: TaskPlan, runner: Runner) -> tuple[list[TaskRow], list[str]]:
    """Return the rows of a plan that can be judged here, and what is to be said of the others."""
    rows = of_groups(load_tasks(plan.suite, plan.data, plan.seed), plan.only)
    missing = Counter(row.group for row in rows if not runner.can_run(row.tool))
    notes = [f"{group}: cannot be run here, left out" for group in missing]
    rows = portion([row for row in rows if row.group not in missing], plan.skip, plan.rows)
    told = [row for row in [await _with_message(row, runner) for row in rows] if row is not None]
    if len(told) < len(rows):
        notes.append(f"{len(rows) - len(told)} rows whose test passes as they are, left out")
    if not told:
        raise FimbleError("There are no rows left to measure.")
    return told, notes


async def _with_message(row: TaskRow, runner: Runner) -> TaskRow | None:
    """Let the failing test say what is wrong; None if nothing fails."""
    if is_clear(row):
        return row
    assert row.program is not None, "what has no diagnostic has a test"
    ran = await runner.test(row.program, row.text)
    return None if ran.passed else replace(row, message=ran.said or "The test fails.")


def is_clear(row: TaskRow) -> bool:
    """Tell whether a row says itself what is to be done."""
    return not row.kind.startswith("quickfix") or bool(row.message)


async def _sides(
    plan: TaskPlan, rows: Sequence[TaskRow]
) -> tuple[dict[str, list[Deed]], dict[str, Any]]:
    """Let every side work."""
    with new_progress() as progress:
        deeds, status = await of_servers(plan, len(rows), progress, partial(act_on_rows, rows))
        if plan.plain:
            tick = ticking(progress, PLAIN, len(rows))
            chosen, _ = read(laid_over(options(plan.model), plan.settings))
            engine = await start_engine(chosen)
            try:
                deeds[PLAIN] = await plain_rows(rows, engine, tick)
            finally:
                await engine.close()
    return deeds, status


def _each(
    rows: Sequence[TaskRow], sides: Mapping[str, Sequence[JudgedDeed]]
) -> list[dict[str, Any]]:
    return [
        {
            "id": row.id,
            "group": row.group,
            "message": row.message,
            "text": row.text,
            **{
                side: {**asdict(judged[at].deed), "verdict": asdict(judged[at].verdict)}
                for side, judged in sides.items()
            },
        }
        for at, row in enumerate(rows)
    ]
