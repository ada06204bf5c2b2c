"""`fimble stats`: what became of the suggestions, from the history on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from fimble.history import RECENT_DAYS, History, Tally
from fimble.measure import plot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def stats(
    file: Path, *, days: float = RECENT_DAYS, draw: Path | None = None, as_json: bool = False
) -> int:
    """Print a table by language, and draw it where a file is named. Raises `FimbleError`."""
    if draw is not None:
        plot.check(draw)
    tallies = History(file).tallies(days=days)
    if as_json:
        print(json.dumps({language: asdict(tally) for language, tally in tallies.items()}))
    elif tallies:
        print(table(tallies))
        print(f"\nThe last {days:g} days, from {file}.")
    else:
        print("No suggestion was shown yet, or the setting `history` is off.")
    if draw is not None and tallies:
        plot.draw_stats({language: asdict(tally) for language, tally in tallies.items()}, draw)
    return 0


def table(tallies: Mapping[str, Tally]) -> str:
    """Return one line a language."""
    head = ("language", "shown", "accepted", "partly", "typed", "rejected", "survived")
    lines = [f"{head[0]:<16}" + "".join(f"{name:>10}" for name in head[1:])]
    for language, tally in tallies.items():
        counts = (tally.accepted, tally.partial, tally.typed, tally.rejected)
        shares = "".join(f"{count / tally.shown:>10.0%}" for count in counts)
        survived = "-" if tally.survived is None else f"{tally.survived:.0%}"
        lines.append(f"{language:<16}{tally.shown:>10}{shares}{survived:>10}")
    return "\n".join(lines)
