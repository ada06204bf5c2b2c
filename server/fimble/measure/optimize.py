"""``fimble models optimize``: make a file of a model that is faster here and completes as well.

Each mix of types is written, measured by turns with the original, and, if it is fast enough,
made to complete the suite of `completing.py`. The fastest that completes as well is kept.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from fimble.engine.compare import Comparison, compare, typical
from fimble.engine.messages import Profile, Rates
from fimble.engine.quantize import Mix, mixes, quantize
from fimble.errors import DiskFull, ModelError, UnsupportedModel
from fimble.measure.completing import Row, answers_of, load_rows
from fimble.models import optimized
from fimble.models.catalogue import Entry
from fimble.models.files import (
    Progress,
    Watch,
    exclusive,
    human_size,
    make_directory,
    sha256_of,
    size_of,
)
from fimble.models.optimized import MIN_GAIN, Figures, Optimized
from fimble.models.profile import machine
from fimble.models.store import Store

MARGIN: Final = 0.025
"""The share of the suite's rows that a faster file may lose, what it wins set off: 1 of 41. Files
of equal accuracy differ by as much, because rounding decides where two tokens are equally likely.
With the 0.5B the mix that loses one here (Q8_0 head) lost none of 110 rows of HumanEval-Infilling,
the one that loses two (Q4_0 head) lost three."""
GROWTH: Final = 1.1
"""A rewritten file is at most this much larger than its original."""
MEMORY_RESERVE_BYTES: Final = 500_000_000
"""For two small contexts, llama.cpp's buffers and this process."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What does the work; tests hand in another."""

    quantize: Callable[..., None] = quantize
    compare: Callable[..., Comparison] = compare
    answers: Callable[..., tuple[bool, ...]] = answers_of
    free_disk: Callable[[Path], int] = lambda directory: shutil.disk_usage(directory).free
    free_memory: Callable[[], int] = lambda: int(psutil.virtual_memory().available)


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured of one mix; the scores are None where it was too slow to be asked."""

    mix: Mix
    gain: float
    original: Rates
    rates: Rates
    rows: int
    original_score: int | None = None
    score: int | None = None

    @property
    def is_fast(self) -> bool:
        """Whether it gains enough to be worth its room."""
        return self.gain >= MIN_GAIN

    @property
    def passes(self) -> bool:
        """Whether it is fast and completes as well as the original, up to `MARGIN`."""
        if self.score is None or self.original_score is None:
            return False
        return self.is_fast and self.score >= self.original_score - int(MARGIN * self.rows)

    def __str__(self) -> str:
        text = (
            f"{self.mix}: {self.gain:.2f} x as fast (reads {self.rates.prefill:.0f} instead of"
            f" {self.original.prefill:.0f}, writes {self.rates.decode:.0f} instead of"
            f" {self.original.decode:.0f} tokens a second)"
        )
        if self.score is None:
            return text
        return (
            f"{text}, completes {self.score} of {self.rows} rows (original {self.original_score})"
        )


def choose(trials: Sequence[Trial]) -> Trial | None:
    """Return the fastest trial that passes."""
    passing = [trial for trial in trials if trial.passes]
    return max(passing, key=lambda trial: trial.gain, default=None)


def is_worth_trying(mix: Mix, trials: Sequence[Trial]) -> bool:
    """Tell whether a mix may still win: bodies are tried fastest first.

    A slower body cannot win where a faster one passed, nor where a faster one gained nothing.
    """
    earlier = [trial for trial in trials if trial.mix.body != mix.body]
    if not earlier:
        return True
    return choose(earlier) is None and any(trial.is_fast for trial in earlier)


def is_worth_asking(trial: Trial, trials: Sequence[Trial]) -> bool:
    """Tell whether a measured mix would win if it completes as well."""
    best = choose(trials)
    return trial.is_fast and (best is None or trial.gain > best.gain)


def optimize(
    store: Store,
    entry: Entry,
    *,
    body: str = "auto",
    keep_head: bool = False,
    progress: Progress | None = None,
    tools: Tools | None = None,
) -> Iterator[str]:
    """Try, and keep the best if there is one; yields what to tell the user, line by line.

    Raises `ModelMissing`, `DigestMismatch`, `DiskFull`, `ModelError` (little memory, or another
    Fimble is at it) and `EngineDown` (llama.cpp crashed).
    """
    tools = tools or Tools()
    watch = Watch(progress)
    source = store.verify(entry, watch)
    with _scratch(store, entry) as scratch:
        _require_room(entry, scratch, tools)
        search = _Search(source, scratch, watch, tools, load_rows())
        for mix in mixes(body, keep_head=keep_head):
            if is_worth_trying(mix, search.trials):
                yield search.attempt(mix)
        best = choose(search.trials)
        if best is None:
            yield (
                f"No file of {entry.name} that completes as well is"
                f" {MIN_GAIN - 1:.0%} faster here: nothing is kept."
            )
            return
        path = _keep(store, entry, best, search)
    yield f"{entry.name} is optimized: {path} ({human_size(size_of(path))})."
    yield 'The original is kept; the setting `optimize = "never"` goes back to it.'


@contextmanager
def _scratch(store: Store, entry: Entry) -> Iterator[Path]:
    """Hold the model's lock and an empty directory beside it that is deleted in the end."""

    def refuse() -> None:
        raise ModelError(
            f"{entry.name} is being fetched or optimized right now.", "Wait for that to end."
        )

    make_directory(store.directory)
    directory = store.scratch_of(entry)
    with exclusive(store.lock_of(entry), refuse):
        shutil.rmtree(directory, ignore_errors=True)
        try:
            make_directory(directory)
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _require_room(entry: Entry, directory: Path, tools: Tools) -> None:
    """Look for room for the best file so far and the one being tried; also in memory."""
    needed = int(2 * GROWTH * entry.size)
    free = tools.free_disk(directory)
    if free < needed:
        raise DiskFull(
            f"Optimizing {entry.name} needs {human_size(needed)} in {directory.parent}, where"
            f" {human_size(free)} are free.",
            "Make room; most of it is free again afterwards.",
        )
    needed += MEMORY_RESERVE_BYTES
    free = tools.free_memory()
    if free < needed:
        raise ModelError(
            f"Optimizing {entry.name} needs {human_size(needed)} of memory, of which"
            f" {human_size(free)} are free.",
            "Close other programs.",
        )


class _Search:
    """The trials so far; the file of the best one stays in the scratch directory."""

    def __init__(
        self, source: Path, scratch: Path, watch: Watch, tools: Tools, rows: tuple[Row, ...]
    ) -> None:
        self.trials: list[Trial] = []
        self._source = source
        self._scratch = scratch
        self._watch = watch
        self._tools = tools
        self._rows = rows
        self._original_score: int | None = None

    def file_of(self, mix: Mix) -> Path:
        """Where the file of a mix is while the search goes on."""
        return self._scratch / f"{mix}.gguf"

    def attempt(self, mix: Mix) -> str:
        """Write, measure and, if that is worth it, ask; returns what came of it."""
        file = self.file_of(mix)
        try:
            self._write(mix, file)
        except UnsupportedModel as error:
            file.unlink(missing_ok=True)
            return f"{mix}: not possible. {error.message}"
        trial = self._measure(mix, file)
        self.trials.append(trial)
        best = choose(self.trials)
        for other in self.trials:
            if other is not best:
                self.file_of(other.mix).unlink(missing_ok=True)
        return str(trial)

    def _write(self, mix: Mix, file: Path) -> None:
        size = size_of(self._source)

        def tick(done: int) -> None:
            self._watch.report(min(done, size), size, f"writing {mix}")

        tick(0)
        self._tools.quantize(self._source, file, mix, tick=tick)

    def _measure(self, mix: Mix, file: Path) -> Trial:
        stage = f"measuring {mix} and the original by turns"
        comparison = self._tools.compare(
            self._source, file, tick=lambda: self._watch.report(0, 1, stage)
        )
        original, rates = typical(comparison.original), typical(comparison.other)
        trial = Trial(mix, comparison.gain, original, rates, len(self._rows))
        if not is_worth_asking(trial, self.trials):
            return trial
        profile = comparison.profile
        if self._original_score is None:
            self._original_score = self._score(self._source, profile, "the original")
        score = self._score(file, profile, str(mix))
        return Trial(mix, trial.gain, original, rates, trial.rows, self._original_score, score)

    def _score(self, file: Path, profile: Profile, name: str) -> int:
        total = len(self._rows)

        def tick(done: int) -> None:
            self._watch.report(done, total, f"completing code with {name}")

        return sum(self._tools.answers(file, profile, self._rows, tick))


def _keep(store: Store, entry: Entry, best: Trial, search: _Search) -> Path:
    draft = search.file_of(best.mix)
    record = Optimized(
        model=entry.name,
        file=optimized.name_of(entry, str(best.mix)),
        size=size_of(draft),
        sha256=sha256_of(draft, Watch()),
        source_size=entry.size,
        source_sha256=entry.sha256,
        types=str(best.mix),
        gain=round(best.gain, 3),
        rows=best.rows,
        original=_figures(best.original, best.original_score),
        optimized=_figures(best.rates, best.score),
        machine=machine(),
        llama_cpp_python=importlib.metadata.version("llama-cpp-python"),
        made=dt.datetime.now(dt.UTC).date().isoformat(),
    )
    try:
        return optimized.keep(store.directory, draft, record)
    except OSError as error:
        raise ModelError(
            f"The optimized file cannot be kept in {store.directory} ({error.strerror or error}).",
            "Check who may write there.",
        ) from error


def _figures(rates: Rates, score: int | None) -> Figures:
    return Figures(round(rates.prefill, 1), round(rates.decode, 1), score or 0)
