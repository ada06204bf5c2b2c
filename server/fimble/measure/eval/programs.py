"""What a review is to find: programs with a mistake, and the same without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

from fimble.errors import FimbleError
from fimble.measure.eval.rows import interleaved, read_rows

QUOTES: Final = '"""'


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """A program as it is and as it should be; it is summed up in ``group``.

    ``entry`` is the name of the function that is wrong, ``wrong`` are its lines, from 0; where one
    is missing, that is the line in whose place it belongs.
    """

    id: str
    group: str
    path: str
    entry: str
    buggy: str
    correct: str
    wrong: tuple[int, ...]

    def place(self, text: str) -> int:
        """Return the offset of the function's header in one of the two texts."""
        return f"\n{text}".index(f"\ndef {self.entry}(")


def load_programs(data: Path, seed: int) -> list[ProgramRow]:
    """Read all programs, in an order that takes turns between groups.

    Raises `FimbleError` without the data.
    """
    rows = [*_quixbugs(data), *_human_eval_fix(data)]
    if not rows:
        raise FimbleError(f"There are no programs to review in {data}.")
    return interleaved(rows, seed)


def _quixbugs(data: Path) -> Iterator[ProgramRow]:
    for raw in read_rows(data / "quixbugs" / "python.jsonl.gz"):
        name, text = raw["name"], raw["buggy"]
        # What the program is for stands behind it, in the version with the mistake only; behind
        # the other one are further ways to mend it.
        at = text.rindex(QUOTES, 0, text.rindex(QUOTES))
        right = raw["correct"].partition(QUOTES)[0].rstrip()
        yield _row(f"quixbugs/{name}", "quixbugs", name, text, f"{right}\n\n\n{text[at:]}")


def _human_eval_fix(data: Path) -> Iterator[ProgramRow]:
    for raw in read_rows(data / "humanevalpack" / "python.jsonl.gz"):
        texts = (raw["prompt"] + raw[name] for name in ("buggy_solution", "canonical_solution"))
        yield _row(raw["task_id"], "human-eval-fix", raw["entry_point"], *texts)


def _row(name: str, group: str, entry: str, buggy: str, correct: str) -> ProgramRow:
    lines = tuple(_different(buggy.splitlines(), correct.splitlines()))
    return ProgramRow(name, group, f"{entry}.py", entry, buggy, correct, lines)


def _different(before: list[str], after: list[str]) -> Iterator[int]:
    """Yield the numbers of the lines that are not the same, blank ones aside."""
    numbers = [number for number, line in enumerate(before) if line.strip()]
    old, new = [before[number] for number in numbers], [line for line in after if line.strip()]
    for kind, start, end, _, _ in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from numbers[start : max(end, start + 1)]
