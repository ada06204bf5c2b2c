"""Which of two model files is faster here: ``python -m fimble.engine.compare ORIGINAL OTHER``.

Both are loaded in one child process and measured by turns, so that whatever else the machine does
meanwhile slows both and the ratio holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from fimble.engine.child import answer, ask
from fimble.engine.messages import Overrides, Profile, Rates

ROUNDS: Final = 9
"""A second or two each; the median of nine is unmoved by four that something disturbed."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rates of both files, round by round, run as ``profile`` says."""

    profile: Profile
    original: tuple[Rates, ...]
    other: tuple[Rates, ...]

    @property
    def gain(self) -> float:
        """How many times as fast the other one answers a key press."""
        pairs = zip(self.original, self.other, strict=True)
        return median(first.key_press_s / second.key_press_s for first, second in pairs)


def typical(rates: tuple[Rates, ...]) -> Rates:
    """The medians of some rounds."""
    return Rates(median(one.prefill for one in rates), median(one.decode for one in rates))


def compare(original: Path, other: Path, *, tick: Callable[[], None]) -> Comparison:
    """Measure both; raises `EngineDown` when llama.cpp crashes and what ``tick`` raises."""
    return ask("fimble.engine.compare", [str(original), str(other)], Comparison, tick=tick)


def _compare() -> Comparison:
    # Only the child loads llama.cpp.
    from fimble.engine.calibrate import choose_profile, measure, trial_context  # noqa: PLC0415
    from fimble.engine.llama.model import ALL_LAYERS, Backend, Model, supports_gpu  # noqa: PLC0415

    layers = ALL_LAYERS if supports_gpu() else 0
    backend = Backend()
    models = [Model(backend, Path(path), n_gpu_layers=layers) for path in sys.argv[1:]]
    profile, _ = choose_profile(
        models[0], Overrides(), None, n_gpu_layers=layers, report=lambda: None
    )
    contexts = [trial_context(model, flash_attention=profile.flash_attention) for model in models]
    for context in contexts:
        context.set_threads(profile.n_threads, profile.n_threads_batch)
        measure(context)  # the first round warms caches and graphs
    rounds = [[measure(context) for context in contexts] for _ in range(ROUNDS)]
    original, other = zip(*rounds, strict=True)
    return Comparison(profile, original, other)


if __name__ == "__main__":
    answer(_compare)
