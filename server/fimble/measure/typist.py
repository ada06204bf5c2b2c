"""A typist in front of the real server, and the server: what `replay` and `peer` share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console

from fimble.errors import FimbleError
from fimble.measure.driver import SERVE, until_ready
from fimble.measure.replay_figures import Key, key_of
from fimble.measure.screen import Screen
from fimble.measure.trace import Kind, Step
from fimble.models.profile import cache_directory
from fimble.protocol.client import EditorClient, Suggestion
from fimble.source.languages import Languages

MEGABYTE: Final = 1_000_000
NOWHERE: Final = "file:///bench"
"""A folder that is not there."""


def machine(load_before: float) -> dict[str, Any]:
    """Return what one must know to judge how noisy the figures are."""
    return {
        "cores": psutil.cpu_count(logical=False),
        "load_before": round(load_before, 2),
        "load_after": round(psutil.getloadavg()[0], 2),
    }


@contextmanager
def fresh_cache() -> Iterator[dict[str, str]]:
    """Yield an environment whose KV cache is empty, with the machine's calibration as it is."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        known = cache_directory() / "profiles"
        if known.is_dir():
            shutil.copytree(known, Path(directory) / "profiles")
        yield dict(os.environ) | {"FIMBLE_CACHE_DIR": directory}


@asynccontextmanager
async def server(
    settings: Mapping[str, Any], environment: Mapping[str, str], root: Path | None = None
) -> AsyncIterator[tuple[EditorClient, dict[str, Any]]]:
    """Run a server until its model answers, and shut it down properly in the end."""
    async with EditorClient(SERVE, environment) as editor:
        await editor.initialize(root, settings)
        with Screen(Console(stderr=True)).progress() as show:
            status = await until_ready(editor, show)
        try:
            yield editor, status
        except TimeoutError as error:
            raise FimbleError("The server does not answer.", *editor.log[-1:]) from error
        await editor.shut_down()  # `close` is less patient than writing the KV state takes


@dataclass(slots=True)
class Memory:
    """Resident memory of the server and its worker, in bytes; the model's pages are in it."""

    pid: int
    peak: int = 0
    now: int = 0

    def look(self) -> None:
        """Measure."""
        process = psutil.Process(self.pid)
        family = (process, *process.children(recursive=True))
        self.now = sum(one.memory_info().rss for one in family)
        self.peak = max(self.peak, self.now)

    def figures(self) -> dict[str, float]:
        """Return megabytes."""
        self.look()
        return {"rss_mb": round(self.now / MEGABYTE), "peak_rss_mb": round(self.peak / MEGABYTE)}


@dataclass(slots=True)
class Typist:
    """Presses keys in one document and asks after each."""

    editor: EditorClient
    name: str
    folder: str = NOWHERE
    shown: Suggestion | None = None
    cursor: int = 0
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = Memory(self.editor.pid)

    @property
    def uri(self) -> str:
        """The document."""
        return f"{self.folder}/{self.name}"

    def open(self, text: str) -> None:
        """Open the document."""
        open_document(self.editor, self.uri, text)

    def edit(self, step: Step) -> None:
        """Do to the text what the step says."""
        for patch in step.patches:
            end = patch.position + patch.deleted
            self.editor.edit(self.uri, patch.position, end, patch.inserted)
        self.cursor = step.cursor

    async def press(self, step: Step) -> Key | None:
        """Take a step and ask; None if there was no suggestion to accept."""
        if step.kind is Kind.ACCEPT:
            return await self._accept()
        self.edit(step)
        return await self.ask(step.kind)

    async def ask(self, kind: Kind) -> Key:
        """Ask at the cursor, remember what is shown."""
        suggestions, total_ms = await self.editor.timed_inline_completion(self.uri, self.cursor)
        self.shown = suggestions[0] if suggestions else None
        (explanation,) = await self.editor.explain_last()
        return key_of(kind, total_ms, explanation)

    async def _accept(self) -> Key | None:
        taken = self.shown
        if taken is None:
            return None
        before = self.editor.text(self.uri)[taken.start : taken.end]
        place, self.cursor = self.cursor, self.editor.accept(taken)
        key = await self.ask(Kind.ACCEPT)
        self.editor.edit(self.uri, taken.start, self.cursor, before)
        self.cursor, self.shown = place, None
        return key

    def new_line(self) -> None:
        """Begin a line below the cursor's."""
        self.insert(*line_below(self.editor.text(self.uri), self.cursor))

    def insert(self, offset: int, text: str) -> None:
        """Put text in and go behind it."""
        self.editor.edit(self.uri, offset, offset, text)
        self.cursor = offset + len(text)


def line_below(text: str, cursor: int) -> tuple[int, str]:
    """Return where the cursor's line ends, and what begins another one, indented alike."""
    start = text.rfind("\n", 0, cursor) + 1
    end = text.find("\n", cursor)
    end = len(text) if end < 0 else end
    line = text[start:end]
    return end, "\n" + line[: len(line) - len(line.lstrip())]


def open_document(editor: EditorClient, uri: str, text: str) -> None:
    """Open a document in the language that its name says."""
    language = Languages.load().for_path(uri)
    editor.open(uri, text, language.lsp_ids[0] if language.lsp_ids else language.id)
