"""Latencies, how they are summed up (medians and 95th percentiles), and how figures are told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Sample:
    """What one request took, in milliseconds.

    ``total_ms`` is what the editor waited, ``model_ms`` is the model's part of it (its queue
    included), and ``server_ms`` is what the server itself says it spent outside the model.
    """

    kind: str
    total_ms: float
    model_ms: float
    server_ms: float

    @property
    def outside_ms(self) -> float:
        """Everything but the model: both pipes, the protocol, and our own code."""
        return max(self.total_ms - self.model_ms, 0.0)


def sample(kind: str, total_ms: float, explanation: dict[str, Any]) -> Sample:
    """Make a sample of a request and what ``fimble/explainLast`` says of it."""
    trace = explanation["trace"]
    model_ms = trace["queueMs"] + trace["modelMs"]
    return Sample(kind, total_ms, model_ms, explanation["outsideMs"])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` (0 to 1) of all do not exceed."""
    ordered = sorted(values)
    rank = -int(-share * len(ordered) // 1)  # rounded up
    return ordered[max(rank, 1) - 1]


def summary(samples: Iterable[Sample]) -> dict[str, float]:
    """Return the count, and median and 95th percentile of each time in milliseconds."""
    chosen = list(samples)
    figures: dict[str, float] = {"count": len(chosen)}
    for name in ("total_ms", "model_ms", "outside_ms", "server_ms"):
        values = [getattr(one, name) for one in chosen]
        figures[f"{name}_p50"] = round(median(values), 2)
        figures[f"{name}_p95"] = round(percentile(values, 0.95), 2)
    return figures


def latency_table(samples: Sequence[Sample], kinds: Iterable[str]) -> Table:
    """Draw a row for each of ``kinds`` that there are samples of."""
    from rich.table import Table  # noqa: PLC0415

    table = Table(title="Milliseconds: median / 95th percentile", title_justify="left", box=None)
    table.add_column("")
    for heading in ("requests", "editor waits", "in the model", "outside it"):
        table.add_column(heading, justify="right")
    for kind in kinds:
        of_kind = [one for one in samples if one.kind == kind]
        if of_kind:
            figures = summary(of_kind)
            table.add_row(
                kind,
                str(len(of_kind)),
                *(
                    f"{figures[f'{name}_p50']:.1f} / {figures[f'{name}_p95']:.1f}"
                    for name in ("total_ms", "model_ms", "outside_ms")
                ),
            )
    return table


def tell(suite: str, figures: Mapping[str, Any]) -> None:
    """Print a line for each figure, and a JSON line with all of them."""
    console = Console(highlight=False, markup=False)
    for name, value in figures.items():
        console.print(f"{name.replace('_', ' ')}: {value}")
    print(json.dumps({"suite": suite, **figures}))
