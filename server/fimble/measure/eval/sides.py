"""Who answers the rows of an evaluation: one server, or two with different settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import Progress

from fimble.measure.chosen import laid_over
from fimble.measure.driver import options
from fimble.measure.eval.ask import Tick
from fimble.measure.eval.figures import AGAINST, FIMBLE
from fimble.measure.typist import machine

Given = TypeVar("Given")
Side = Callable[[dict[str, Any], Tick], Awaitable[tuple[list[Given], dict[str, Any]]]]
"""Answers all rows with these settings; also returns the last ``fimble/status``."""


class Chosen(Protocol):
    """What every plan says."""

    @property
    def suite(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def skip(self) -> int: ...
    @property
    def model(self) -> str | None: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def against(self) -> Mapping[str, Any] | None: ...


def new_progress() -> Progress:
    """Return the bars that are seen while rows are answered."""
    return Progress(console=Console(stderr=True), transient=True)


def ticking(progress: Progress, name: str, total: int) -> Tick:
    """Add a bar, and return what moves it."""
    task = progress.add_task(name, total=total)
    return lambda done: progress.update(task, completed=done)


async def of_servers(
    plan: Chosen, total: int, progress: Progress, side: Side[Given], *, works_ahead: bool = False
) -> tuple[dict[str, list[Given]], dict[str, Any]]:
    """Let the plan's server answer, and another one if it is compared; and the last status."""
    runs = {FIMBLE: plan.settings}
    if plan.against is not None:
        runs[AGAINST] = laid_over(plan.settings, plan.against)
    base = laid_over(options(plan.model), {} if works_ahead else {"background": "never"})
    given: dict[str, list[Given]] = {}
    status: dict[str, Any] = {}
    for name, settings in runs.items():
        tick = ticking(progress, name, total)
        given[name], status = await side(laid_over(base, settings), tick)
    return given, status


def circumstances(plan: Chosen, status: Mapping[str, Any], load_before: float) -> dict[str, Any]:
    """Return what one must know to repeat a measurement, and how noisy it is."""
    return {
        "suite": plan.suite,
        "seed": plan.seed,
        "skip": plan.skip,
        "settings": plan.settings,
        "against": plan.against,
        "model": status["model"],
        "profile": status["profile"],
        "machine": machine(load_before),
    }
