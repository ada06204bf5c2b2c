"""What is to be completed: each benchmark's rows in one form. See the data's own SOURCE.txt."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, combinations, zip_longest
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, Final, Protocol, TypeVar

from fimble.check.place import closes
from fimble.errors import FimbleError
from fimble.source.identifiers import identifiers

EXTENSIONS: Final = {
    "python": "py",
    "js": "js",
    "java": "java",
    "go": "go",
    "cpp": "cpp",
    "rust": "rs",
}
HOLES: Final = {
    "single-line": "HumanEval-SingleLineInfilling",
    "multi-line": "HumanEval-MultiLineInfilling",
    "random-span": "HumanEval-RandomSpanInfilling",
    "random-span-light": "HumanEval-RandomSpanInfillingLight",
}
NAME: Final = re.compile(r"[^\W\d]\w{3,}")
"""Identifiers worth completing in a list."""
GAP_CHARS: Final = 2
ORACLE_LINES: Final = 4
"""Lines on both sides of a needed name that an oracle shows."""
_INSIDE: Final = re.compile(r"(?<=\w)(?=\w)")
_EDGE: Final = re.compile(r"\b|(?<=[^\w\s])(?=[^\w\s])")
_BETWEEN: Final = re.compile(r"(?<=\S)(?=\W)|(?<=\W)(?=\S)")


class Suite(StrEnum):
    """What can be measured."""

    INFILLING = "infilling"
    POSTCUTOFF = "postcutoff"
    CROSSFILE = "crossfile"
    ITEMS = "items"
    IMPLEMENT = "implement"
    FIX = "fix"
    REVIEW = "review"


class Cursor(StrEnum):
    """Where in a missing line the cursor stands: at its start, inside a word, or between words.

    At a gap only some words of the line are missing, and others follow.
    """

    START = "start"
    WORD = "word"
    INLINE = "inline"
    GAP = "gap"


class Judge(StrEnum):
    """What is right: the line or lines that are missing, the whole hole, or the identifier.

    BARE_LINES is LINES with the indentation left out of it.
    """

    LINES = "lines"
    BARE_LINES = "bare lines"
    BLOCK = "block"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Row:
    """A cursor between ``before`` and ``after`` in a file, and the text ``missing`` there.

    ``group`` is what the row is summed up with, ``test`` is a Python program that judges the
    completed file when it is appended to it, ``files`` are the project's other files.
    """

    id: str
    group: str
    path: str
    before: str
    after: str
    missing: str
    judge: Judge
    test: str = ""
    files: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """What the editor has."""
        return self.before + self.after

    @property
    def whole(self) -> str:
        """What it would have if everything were right."""
        return self.before + self.missing + self.after


class HasGroup(Protocol):
    """Anything that is summed up with others."""

    @property
    def group(self) -> str:
        """What it is summed up with."""
        ...


Grouped = TypeVar("Grouped", bound=HasGroup)


def load(suite: Suite, data: Path, cursor: Cursor, seed: int) -> list[Row]:
    """Read all rows of a suite, in an order that takes turns between groups.

    The first rows of it are a fair sample of every group. Raises `FimbleError` without the data.
    """
    rows = [row for row in _READERS[suite](data, _Cutter(cursor, seed)) if row.missing.strip()]
    if not rows:
        raise FimbleError(f"There are no rows for {suite} in {data}.")
    return interleaved(rows, seed)


def interleaved(rows: Iterable[Grouped], seed: int) -> list[Grouped]:
    """Shuffle each group, then take a row of each group in turn."""
    groups: dict[str, list[Grouped]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    for name, group in groups.items():
        Random(f"{seed}:{name}").shuffle(group)  # noqa: S311  (a sample, no secret)
    rounds = zip_longest(*groups.values())
    return [row for row in chain.from_iterable(rounds) if row is not None]


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Puts the cursor into missing lines."""

    cursor: Cursor
    seed: int

    def __call__(self, row: Row, between: int | None = None) -> Row | None:
        """Move the cursor into ``row.missing``, one line; None if the line has no such place."""
        if self.cursor is Cursor.START:
            return row
        if self.cursor is Cursor.GAP:
            return self._gap(row)
        if self.cursor is Cursor.INLINE and between is not None:
            at = between
        else:
            pattern = _INSIDE if self.cursor is Cursor.WORD else _BETWEEN
            indent = len(row.missing) - len(row.missing.lstrip())
            places = [
                place.start()
                for place in pattern.finditer(row.missing.rstrip())
                if place.start() > indent
            ]
            if not places:
                return None
            at = Random(f"{self.seed}:{row.id}").choice(places)  # noqa: S311  (no secret)
        return replace(row, before=row.before + row.missing[:at], missing=row.missing[at:])

    def _gap(self, row: Row) -> Row | None:
        """Leave only some words of the line out; None if there are no others behind any."""
        line = row.missing
        edges = [one.start() for one in _EDGE.finditer(line)]
        gaps = [
            (start, end)
            for start, end in combinations(edges, 2)
            if len(line[start:end].strip()) >= GAP_CHARS
            and not closes(line[end:])
            and not _INSIDE.search(line[start - 1 : start] + line[end])
        ]
        if not gaps:
            return None
        start, end = Random(f"{self.seed}:{row.id}").choice(gaps)  # noqa: S311  (no secret)
        before, after = row.before + line[:start], line[end:] + row.after
        return replace(row, before=before, missing=line[start:end], after=after)


def _infilling(data: Path, cut: _Cutter) -> Iterator[Row]:
    folder = data / "human-eval-infilling"
    for group, name in HOLES.items():
        for raw in read_rows(folder / f"{name}.jsonl.gz"):
            row = _hole(raw, group)
            placed = cut(row) if group == "single-line" else row
            if placed:
                yield placed
    yield from _derived(data, cut)


def _hole(raw: Mapping[str, Any], group: str) -> Row:
    missing: str = raw["canonical_solution"]
    after: str = raw["suffix"]
    if group in {"single-line", "multi-line"} and missing.endswith("\n"):
        # The line stands there, empty: in an editor nothing is right of the cursor.
        missing, after = missing[:-1], "\n" + after
    return Row(
        id=raw["task_id"],
        group=group,
        path="solution.py",
        before=raw["prompt"],
        after=after,
        missing=missing,
        judge=Judge.LINES if group == "single-line" else Judge.BLOCK,
        test=f"\n{raw['test']}\ncheck({raw['entry_point']})\n",
    )


def _derived(data: Path, cut: _Cutter) -> Iterator[Row]:
    for language, extension in EXTENSIONS.items():
        for raw in read_rows(data / "fim-singleline-derived" / f"{language}.jsonl.gz"):
            if raw["trivial"]:
                continue
            line = raw["middle"].removesuffix("\n")
            row = Row(
                id=f"derived/{raw['task_id']}",
                group=f"line {language}",
                path=f"solution.{extension}",
                before=raw["prefix"],
                after=raw["middle"][len(line) :] + raw["suffix"],
                missing=line,
                judge=Judge.BARE_LINES if cut.cursor is Cursor.START else Judge.LINES,
            )
            if placed := cut(row):
                yield placed


def _postcutoff(data: Path, cut: _Cutter) -> Iterator[Row]:
    for raw in read_rows(data / "fim-postcutoff" / "python.jsonl.gz"):
        row = Row(
            id=raw["id"],
            group="postcutoff",
            path=raw["path"],
            before=raw["prefix"],
            after=raw["suffix"],
            missing=raw["middle"],
            judge=Judge.LINES,
        )
        if placed := cut(row, raw["midline_cut"]):
            yield placed


def _crossfile(data: Path, _cut: _Cutter) -> Iterator[Row]:
    for name in ("python", "python-ada", "java", "typescript", "csharp"):
        for raw in read_rows(data / "crosscodeeval-mini" / f"{name}.jsonl.gz"):
            yield Row(
                id=f"{name}/{raw['metadata']['task_id']}",
                group=name,
                path=_inside(raw["metadata"]["file"]),
                before=raw["prompt"],
                after=raw["right_context"],
                missing=raw["groundtruth"],
                judge=Judge.LINES,
                files=_files(raw["crossfile_context"]["list"], raw["metadata"]["file"]),
            )


def _files(snippets: Sequence[Mapping[str, str]], own: str) -> tuple[tuple[str, str], ...]:
    """Make files of snippets: those of one file in one, in their order."""
    texts: dict[str, list[str]] = {}
    for snippet in snippets:
        chunks = texts.setdefault(snippet["filename"], [])
        if snippet["retrieved_chunk"] not in chunks:
            chunks.append(snippet["retrieved_chunk"])
    texts.pop(own, None)
    return tuple((_inside(path), "\n\n".join(chunks) + "\n") for path, chunks in texts.items())


def with_oracle(row: Row) -> Row | None:
    """Leave of the other files just the lines around what is needed of them.

    Needed are names of the missing text that its own file lacks; None if no other file has one. So
    what is right then is about what a context can win in such rows, however well it is chosen.
    """
    needed = set(identifiers(row.missing)) - set(identifiers(row.text))
    excerpts = ((path, _around(text.splitlines(), needed)) for path, text in row.files)
    files = tuple((path, excerpt) for path, excerpt in excerpts if excerpt)
    return replace(row, files=files) if files else None


def _around(lines: Sequence[str], names: Container[str]) -> str:
    """Return the lines that hold one of the names, and some before and after each."""
    hits = [at for at, line in enumerate(lines) if any(one in names for one in identifiers(line))]
    return "".join(
        f"{line}\n"
        for at, line in enumerate(lines)
        if any(abs(at - hit) <= ORACLE_LINES for hit in hits)
    )


def _inside(path: str) -> str:
    """Return a path that stays in its folder, whatever the data says."""
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]
    return str(PurePosixPath(*parts))


def _items(data: Path, cut: _Cutter) -> Iterator[Row]:
    """Take an identifier of each missing line that also stands elsewhere in its file."""
    for row in chain(_derived(data, _AT_START), _postcutoff(data, _AT_START)):
        names = [
            found
            for found in NAME.finditer(row.missing)
            if re.search(rf"\b{re.escape(found[0])}\b", row.text)
        ]
        if not names:
            continue
        chance = Random(f"{cut.seed}:{row.id}")  # noqa: S311  (a sample, no secret)
        name = chance.choice(names)
        at = name.start() + chance.randint(1, 2)
        yield replace(
            row,
            before=row.before + row.missing[:at],
            missing=row.missing[at : name.end()],
            judge=Judge.NAME,
        )


_AT_START: Final = _Cutter(Cursor.START, 0)
_READERS: Final[Mapping[Suite, Callable[[Path, _Cutter], Iterator[Row]]]] = {
    Suite.INFILLING: _infilling,
    Suite.POSTCUTOFF: _postcutoff,
    Suite.CROSSFILE: _crossfile,
    Suite.ITEMS: _items,
}


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file; one that is not there has none."""
    if not file.is_file():
        return
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError) as error:
        raise FimbleError(f"{file} cannot be read: {error}.") from error
