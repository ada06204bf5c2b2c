"""Does a model still complete code: a small suite that ships, to hold a rewritten file against.

`completions.txt` holds short files in ten languages. Each ``«...»`` is a row: everything but the
marked text is in the editor, the cursor stands there, and the first line of the suggestion should
be the marked text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from fimble.engine.base import Engine
from fimble.engine.client import EngineConfig, WorkerEngine
from fimble.engine.messages import Profile
from fimble.errors import EngineDown
from fimble.features.complete import Reason, complete
from fimble.measure.once import settled
from fimble.settings import Completion, Settings
from fimble.source.languages import Languages
from fimble.source.text import Snapshot

SETTINGS: Final = Settings(completion=Completion(multiline="never"))
NO_ANSWER: Final = frozenset({Reason.LOADING, Reason.DOWN, Reason.FAILED})


@dataclass(frozen=True, slots=True)
class Row:
    """A cursor in a file, and what should be written there."""

    file: str
    text: str
    offset: int
    expected: str


def load_rows() -> tuple[Row, ...]:
    """Read the rows that ship in the package."""
    text = resources.files("fimble.measure").joinpath("completions.txt").read_text("utf-8")
    blocks = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)[1:]
    pairs = zip(blocks[::2], blocks[1::2], strict=True)
    return tuple(row for file, marked in pairs for row in _rows(file, marked))


def _rows(file: str, marked: str) -> Iterator[Row]:
    for hole in re.finditer("«([^»]*)»", marked):
        left = re.sub("[«»]", "", marked[: hole.start()])
        right = re.sub("[«»]", "", marked[hole.end() :])
        yield Row(file, left + right, len(left), hole[1])


async def answer_rows(
    engine: Engine, rows: tuple[Row, ...], tick: Callable[[int], None]
) -> tuple[bool, ...]:
    """Say of each row whether the engine completes it; ``tick`` is told how many are done.

    Raises `EngineDown` when the engine does not answer.
    """
    languages = Languages.load()
    answers: list[bool] = []
    for row in rows:
        tick(len(answers))
        uri = f"file:///project/{row.file}"
        language = languages.for_document("", uri)
        snapshot = Snapshot.open(uri, 1, language, row.text).parse(languages.grammar(language))
        completion, _ = await complete(snapshot, row.offset, None, engine, SETTINGS)
        if completion.reason in NO_ANSWER:
            raise EngineDown("The model stopped answering.", completion.detail)
        answers.append(completion.text.partition("\n")[0].strip() == row.expected.strip())
    tick(len(answers))
    return tuple(answers)


def answers_of(
    model: Path, profile: Profile, rows: tuple[Row, ...], tick: Callable[[int], None]
) -> tuple[bool, ...]:
    """Load a model file and let it answer the rows; raises what loading and answering raise."""

    async def run() -> tuple[bool, ...]:
        engine = await settled(WorkerEngine(EngineConfig(model, load_profile=lambda: profile)))
        try:
            return await answer_rows(engine, rows, tick)
        finally:
            await engine.close()

    return asyncio.run(run())
