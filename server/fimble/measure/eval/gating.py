"""``fimble eval gate``: the constants of `features/gate.py`, from suggestions right and wrong.

Each row is asked in this process with the gate open. A logistic regression on what the gate looks
at is fitted to the answers, and cross-validated by task: rows of one task are never on both sides.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import nan
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from fimble.engine.base import Engine
from fimble.errors import FimbleError
from fimble.features.complete import Completion, complete
from fimble.features.gate import OPEN, THRESHOLDS, Doubt
from fimble.features.memory import Memory
from fimble.measure.eval.execute import Runner
from fimble.measure.eval.rows import Cursor, Judge, Row, Suite, load
from fimble.measure.eval.score import Edit, score
from fimble.measure.eval.stats import rate
from fimble.measure.once import settings_of, start_engine
from fimble.settings import Settings
from fimble.source.languages import Languages
from fimble.source.text import Snapshot

FOLDS: Final = 5
RIDGE: Final = 1e-3
STEPS: Final = 50
SHARES: Final = (1.0, 0.9, 0.8, 0.7, 0.65, 0.6, 0.5)
COLUMNS: Final = ("CONSTANT", "PER_LOGPROB", "PER_MARGIN", "MID_LINE", "MEETS", "AT_END")

_TASK: Final = re.compile(r"(?<=/)\d+")
"""All these benchmarks are made of the same tasks, which have numbers."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """A suggestion made with the gate open; ``shipped`` is what the gate as it is makes of it.

    That is None where it shows nothing, else whether what it shows is right.
    """

    row: str
    group: str
    cursor: str
    task: str
    doubt: Doubt
    right: bool
    shipped: bool | None


def evaluate_gate(
    data: Path,
    *,
    rows: int,
    skip: int,
    seed: int,
    only: Sequence[str],
    at_end: bool,
    model: str | None,
    json_file: Path | None,
) -> int:
    """Fit the gate and print it; ``rows`` of each kind of place. Raises `FimbleError`.

    With ``at_end`` nothing stands below the cursor: the file is written from its top.
    """
    chosen = [
        (cursor, row)
        for cursor in Cursor
        for row in _rows(data, cursor, seed, only)[skip : skip + rows if rows else None]
    ]
    samples = asyncio.run(_collect(chosen, model, at_end=at_end))
    if len({sample.right for sample in samples}) < 2:
        raise FimbleError("There are too few rows to fit anything.")
    report = fitted(samples)
    _print(report)
    if json_file:
        each = [asdict(sample) for sample in samples]
        json_file.write_text(json.dumps({**report, "each": each}, indent=1) + "\n", "utf-8")
    return 0


def _rows(data: Path, cursor: Cursor, seed: int, only: Sequence[str]) -> list[Row]:
    """Return the rows for a cursor; those without a line to put it into only count once."""
    rows = load(Suite.INFILLING, data, cursor, seed)
    rows = [row for row in rows if row.group in only or not only]
    # A light span is one of the spans.
    rows = [row for row in rows if not row.group.endswith("light")]
    if cursor is not Cursor.START:
        rows = [row for row in rows if row.judge is not Judge.BLOCK]
    return rows


async def _collect(
    chosen: Sequence[tuple[Cursor, Row]], model: str | None, *, at_end: bool
) -> list[Sample]:
    settings = settings_of({}, model)
    engine = await start_engine(settings)
    asking = Asking(engine, settings, Languages.load(), await Runner.ready(), at_end)
    console = Console(stderr=True)
    try:
        found = [
            await asking.sample(cursor, row)
            for cursor, row in track(chosen, "asking", console=console, transient=True)
        ]
    finally:
        await engine.close()
    return [sample for sample in found if sample is not None]


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks the engine for rows and judges what comes back."""

    engine: Engine
    settings: Settings
    languages: Languages
    runner: Runner
    at_end: bool = False

    async def sample(self, cursor: Cursor, row: Row) -> Sample | None:
        """Ask with the gate open and judge again as it is; None if nothing can be suggested."""
        snapshot = self._opened(row)
        answer, memory = await self._complete(row, snapshot, Memory(), OPEN)
        if answer.doubt is None:
            return None
        # The same draft answers; the model only goes on with one that it was stopped in.
        shipped, _ = await self._complete(row, snapshot, replace(memory, shown=None), 0.0)
        right = await self._is_right(row, answer)
        still = right if shipped.text == answer.text else await self._is_right(row, shipped)
        return Sample(
            row=row.id,
            group=row.group,
            cursor=cursor,
            task=_TASK.findall(row.id)[0],
            doubt=answer.doubt,
            right=right,
            shipped=still if shipped.text else None,
        )

    def _opened(self, row: Row) -> Snapshot:
        language = self.languages.for_path(row.path)
        text = row.before if self.at_end else row.text
        snapshot = Snapshot.open(f"file:///{row.path}", 0, language, text)
        return snapshot.parse(self.languages.grammar(language))

    async def _complete(
        self, row: Row, snapshot: Snapshot, memory: Memory, stricter: float
    ) -> tuple[Completion, Memory]:
        at = len(row.before)
        return await complete(snapshot, at, memory, self.engine, self.settings, stricter=stricter)

    async def _is_right(self, row: Row, answer: Completion) -> bool:
        edit = Edit(answer.text, answer.start, answer.end)
        if (await score(row, edit, self.languages, self.runner)).right:
            return True
        # It may have written the rest of the function as well, in a way of its own.
        alone = replace(row, after="\n")
        return self.at_end and (await score(alone, edit, self.languages, self.runner)).right


def fitted(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the constants, how well they tell right from wrong, and what thresholds do."""
    x = np.array([_features(sample.doubt) for sample in samples])
    y = np.array([float(sample.right) for sample in samples])
    fold = np.array([crc32(sample.task.encode()) % FOLDS for sample in samples])
    unseen = np.full(len(y), nan)
    for one in range(FOLDS):
        held = fold == one
        unseen[held] = chances(x[held], fit(x[~held], y[~held]))
    weights = fit(x, y)
    everything = chances(x, weights)
    return {
        "rows": len(samples),
        "right": rate(sample.right for sample in samples).share,
        "constants": dict(zip(COLUMNS, weights.round(3).tolist(), strict=True)),
        "auc": auc(unseen, y),
        "auc_logprob": auc(x[:, 1], y),
        "shares": [_at_share(share, unseen, y) for share in SHARES],
        "thresholds": {
            name: _at(least, everything, y) for name, least in sorted(THRESHOLDS.items())
        },
        "shipped": _shipped(samples),
        "groups": {
            name: _shipped([one for one in samples if one.group == name])
            for name in dict.fromkeys(sample.group for sample in samples)
        },
    }


def _features(about: Doubt) -> tuple[float, ...]:
    evidence = about.evidence
    misses = evidence.mid_line and not evidence.meets
    flags = misses, evidence.meets, evidence.at_end
    return 1.0, about.logprob, about.margin, *map(float, flags)


def fit(x: Floats, y: Floats) -> Floats:
    """Return the weights of a logistic regression, by Newton's method."""
    weights = np.zeros(x.shape[1])
    ridge = RIDGE * np.eye(x.shape[1])
    for _ in range(STEPS):
        chance = chances(x, weights)
        curvature = (x * (chance * (1 - chance))[:, None]).T @ x + ridge
        weights = weights + np.linalg.solve(curvature, x.T @ (y - chance) - ridge @ weights)
    return weights


def chances(x: Floats, weights: Floats) -> Floats:
    """Return the probability of each row to be right."""
    result: Floats = 1 / (1 + np.exp(-(x @ weights)))
    return result


def auc(scores: Floats, y: Floats) -> float:
    """Return how often a right one scores higher than a wrong one; ties count half."""
    right, wrong = scores[y == 1][:, None], scores[y == 0][None, :]
    return float(np.mean((right > wrong) + 0.5 * (right == wrong)))


def _at_share(share: float, scores: Floats, y: Floats) -> dict[str, float]:
    return _at(float(np.quantile(scores, 1 - share)), scores, y)


def _at(least: float, scores: Floats, y: Floats) -> dict[str, float]:
    """Return how much is shown from a score on, and how much of that is right."""
    shown = scores >= least
    return {
        "least": least,
        "shown": float(shown.mean()),
        "right": float(y[shown].mean()) if shown.any() else 0.0,
    }


def _shipped(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return what the gate as it is shows of these, and how much of that is right."""
    shown = [sample.shipped for sample in samples if sample.shipped is not None]
    return {
        "rows": len(samples),
        "everything": str(rate(sample.right for sample in samples)),
        "shown": str(rate(sample.shipped is not None for sample in samples)),
        "right": str(rate(shown)),
    }


def _print(report: dict[str, Any]) -> None:
    console = Console(highlight=False, markup=False)
    console.print(
        f"{report['rows']} suggestions; AUC {report['auc']:.3f} on tasks not fitted to, "
        f"of the log-probability alone {report['auc_logprob']:.3f}"
    )
    for name, value in report["constants"].items():
        console.print(f"{name} = {value:.2f}")
    table = Table(box=None)
    for heading in ("at", "least score", "shown", "right of these"):
        table.add_column(heading, justify="right")
    for name, found in _levels(report):
        table.add_row(name, *(f"{found[key]:.2f}" for key in ("least", "shown", "right")))
    console.print(table)
    table = Table(title="The gate as it is", title_justify="left", box=None)
    for heading in ("", "rows", "right of everything", "shown", "right of these"):
        table.add_column(heading)
    for name, found in {"all": report["shipped"], **report["groups"]}.items():
        table.add_row(name, *(str(found[key]) for key in ("rows", "everything", "shown", "right")))
    console.print(table)


def _levels(report: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    yield from report["thresholds"].items()
    for found in report["shares"]:
        yield "cross-validated", found
