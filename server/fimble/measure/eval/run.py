"""Puts the rows to one server or several, judges the answers and reports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fimble.measure.eval.ask import Answer, Tick, Way, answer_rows
from fimble.measure.eval.execute import Runner
from fimble.measure.eval.figures import (
    RAW,
    Judged,
    comparison,
    figures,
)
from fimble.measure.eval.raw import raw_rows
from fimble.measure.eval.report import hand_out, of_groups, portion, summed_up
from fimble.measure.eval.rows import Cursor, Judge, Row, Suite, load, with_oracle
from fimble.measure.eval.score import Score, score, score_items
from fimble.measure.eval.sides import circumstances, new_progress, of_servers, ticking
from fimble.measure.eval.table import eval_table, show_rows
from fimble.source.languages import Languages


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. ``rows`` 0 means all; ``skip`` comes before them.

    ``against`` are settings that lay over ``settings`` for a second run of the same rows, ``peer``
    is a llama-server binary for a third. With ``oracle`` other files are excerpts that are known to
    help: see `with_oracle`.
    """

    suite: Suite
    data: Path
    rows: int = 0
    skip: int = 0
    seed: int = 0
    cursor: Cursor = Cursor.START
    only: Sequence[str] = ()
    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    against: Mapping[str, Any] | None = None
    peer: Path | None = None
    warm: bool = False
    invoked: bool = False
    oracle: bool = False


def evaluate(plan: Plan, *, show: int, json_file: Path | None) -> int:
    """Measure, print a table, and write what was asked for; raises `FimbleError`."""
    report = asyncio.run(measure(plan))
    rows = [show_rows(report["each"][:show])] if show else []
    hand_out(report, [*rows, eval_table(report)], json_file)
    return 0


def chosen_rows(plan: Plan) -> list[Row]:
    """Return the rows of a plan."""
    rows = load(plan.suite, plan.data, plan.cursor, plan.seed)
    if plan.oracle:
        rows = [helped for row in rows if (helped := with_oracle(row))]
    return portion(of_groups(rows, plan.only), plan.skip, plan.rows)


async def measure(plan: Plan) -> dict[str, Any]:
    """Run everything and return the report."""
    rows = chosen_rows(plan)
    load_before = psutil.getloadavg()[0]
    answers, status = await _sides(plan, rows)
    languages, runner = Languages.load(), await Runner.ready()
    sides = {
        name: [
            Judged(row, answer, await _judge(row, answer, languages, runner))
            for row, answer in zip(rows, given, strict=True)
        ]
        for name, given in answers.items()
    }
    return {
        **circumstances(plan, status, load_before),
        "cursor": plan.cursor,
        "warm": plan.warm,
        "invoked": plan.invoked,
        "oracle": plan.oracle,
        **summed_up(sides, figures, comparison),
        "each": _each(rows, sides),
    }


async def _sides(plan: Plan, rows: Sequence[Row]) -> tuple[dict[str, list[Answer]], dict[str, Any]]:
    """Let every side answer."""

    async def answer(settings: dict[str, Any], tick: Tick) -> tuple[list[Answer], dict[str, Any]]:
        return await answer_rows(rows, Way(settings, plan.warm, plan.invoked), tick)

    with new_progress() as progress:
        answers, status = await of_servers(plan, len(rows), progress, answer, works_ahead=plan.warm)
        if plan.peer:
            tick = ticking(progress, RAW, len(rows))
            answers[RAW] = await raw_rows(plan.peer, rows, status, tick)
    return answers, status


async def _judge(row: Row, answer: Answer, languages: Languages, runner: Runner) -> Score:
    if row.judge is Judge.NAME:
        return score_items(row, answer.edits)
    return await score(row, answer.edit, languages, runner)


def _each(rows: Sequence[Row], sides: Mapping[str, Sequence[Judged]]) -> list[dict[str, Any]]:
    """Return every row and what became of it, without the texts of other files."""
    return [
        {
            "id": row.id,
            "group": row.group,
            "before": row.before[-400:],
            "missing": row.missing,
            "after": row.after[:200],
            **{
                side: {**asdict(judged[index].answer), "score": asdict(judged[index].score)}
                for side, judged in sides.items()
            },
        }
        for index, row in enumerate(rows)
    ]
