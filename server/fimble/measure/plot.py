"""Plots of the benchmarks' reports. matplotlib is imported when something is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fimble.errors import FimbleError

SUFFIXES: Final = (".svg", ".png")
OUTCOME_COLOURS: Final = {
    "accepted": "tab:green",
    "partial": "tab:olive",
    "typed": "tab:blue",
    "rejected": "tab:gray",
}
COLOURS: Final = {"model": "tab:blue", "typed along": "tab:green", "refused": "tab:gray"}


def check(file: Path) -> None:
    """Raise `FimbleError` now rather than after the measurement if ``file`` cannot be drawn."""
    if file.suffix not in SUFFIXES:
        raise FimbleError(f"{file} is no plot.", f"End its name in {' or '.join(SUFFIXES)}.")
    if find_spec("matplotlib") is None:
        raise FimbleError("Plots need matplotlib.", "Run `pip install 'fimble[report]'`.")


def draw_replay(report: Mapping[str, Any], file: Path) -> None:
    """Draw a replay: milliseconds key by key, and how they are distributed."""
    keys = report["each"]
    figure, (timeline, shares) = _two_panels()
    for answer, colour in COLOURS.items():
        points = [(at, key["total_ms"]) for at, key in enumerate(keys) if key["answer"] == answer]
        if points:
            timeline.scatter(*zip(*points, strict=True), s=8, color=colour, label=answer)
            _draw_shares(shares, [ms for _, ms in points], answer, colour)
    timeline.set_xlabel("key")
    _finish(figure, timeline, shares, f"{report['file']}, {report['model']['name']}", file)


def draw_peer(report: Mapping[str, Any], file: Path) -> None:
    """Draw both servers' milliseconds for the keys that both ask the model for."""
    figure, (timeline, shares) = _two_panels()
    for side, colour in (("fimble", "tab:blue"), ("peer", "tab:red")):
        points = [(key["index"], key[f"{side}_ms"]) for key in report["each"] if key["both"]]
        if points:
            timeline.scatter(*zip(*points, strict=True), s=8, color=colour, label=side)
            _draw_shares(shares, [ms for _, ms in points], side, colour)
    timeline.set_xlabel("key")
    _finish(figure, timeline, shares, f"{report['file']}, {report['model']['name']}", file)


def _two_panels() -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # noqa: PLC0415  (see above)

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    return figure, figure.subplots(1, 2)


def _draw_shares(axes: Any, values: Iterable[float], label: str, colour: str) -> None:
    ordered: Sequence[float] = sorted(values)
    shares = [(index + 1) / len(ordered) for index in range(len(ordered))]
    axes.step(ordered, shares, where="post", color=colour, label=label)


def _finish(figure: Any, timeline: Any, shares: Any, title: str, file: Path) -> None:
    timeline.set_yscale("log")
    timeline.set_ylabel("ms to the first suggestion line")
    shares.set_xscale("log")
    shares.set_xlabel("ms to the first suggestion line")
    shares.set_ylabel("share of keys")
    shares.grid(visible=True, alpha=0.3)
    timeline.grid(visible=True, alpha=0.3)
    if timeline.get_legend_handles_labels()[0]:
        timeline.legend()
        shares.legend()
    figure.suptitle(title)
    figure.savefig(file)


def draw_stats(tallies: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Draw the shares of outcomes by language, and how much of what was accepted survived."""
    figure, (outcomes, survival) = _two_panels()
    languages = list(tallies)
    left = [0.0] * len(languages)
    for outcome, colour in OUTCOME_COLOURS.items():
        shares = [tally[outcome] / tally["shown"] for tally in tallies.values()]
        outcomes.barh(languages, shares, left=left, color=colour, label=outcome)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    survival.barh(languages, [tally["survived"] or 0.0 for tally in tallies.values()])
    outcomes.set_xlabel("share of the suggestions shown")
    survival.set_xlabel("share of accepted lines that still stand")
    for axes in (outcomes, survival):
        axes.set_xlim(0, 1)
        axes.invert_yaxis()
    outcomes.legend()
    figure.suptitle("What became of the suggestions")
    figure.savefig(file)
