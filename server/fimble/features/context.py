"""The workspace as the features see it: ask what may help at a place, tell what has changed.

The work is done by another process (`prompt/indexer.py`); should it end or fail, completions go
on without context.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from fimble.engine.messages import Profile
from fimble.features.offer import Elsewhere
from fimble.prompt.asking import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    About,
    Ask,
    AskAbout,
    AskNames,
    Closed,
    Done,
    Found,
    FromIndexer,
    Names,
    Open,
    ToIndexer,
    Touched,
    Typing,
    Wait,
    Workspace,
    decode_answer,
    encode,
)
from fimble.prompt.context import NO_CONTEXT, Context, refreshed
from fimble.prompt.layout import Layout, anchor_anew, budget_for, context_chars

if TYPE_CHECKING:
    from fimble.features.items import Spot
    from fimble.settings import Settings
    from fimble.source.languages import Language
    from fimble.source.text import Snapshot

__all__ = ["Context", "WorkspaceIndex", "is_due"]

log = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-P", "-m", "fimble.prompt.indexer")
PATIENCE_S: Final = 5.0
"""How long an answer may take; the index process rests for nobody who asks."""
NAMES_S: Final = 0.015
"""How long a popup waits for names; what comes later is there for the word's next key."""
ABOUT_S: Final = 1.0
"""How long an action waits for what other files say; it then goes on without."""
MAX_NAMES: Final = 100
MAX_TEXT: Final = 400_000
"""Larger documents are not sent: they get no context."""
END_S: Final = 1.0
RESTARTS_S: Final = (0.0, 5.0, 30.0)
"""Pauses before the index process is started again, for as many crashes as there are."""
FAR_LINES: Final = 60
"""A cursor that moved further needs other things than those that were chosen."""


@dataclass(slots=True)
class _Named:
    """What the index says of a word, by its path, start and receiver; None while it is asked."""

    word: tuple[str, int, str | None]
    typed: str
    names: Sequence[tuple[str, str]] | None = None

    def serves(self, word: tuple[str, int, str | None], typed: str) -> bool:
        """Tell whether it holds all names for the word as it is now, or will."""
        if word != self.word or len(self.names or ()) >= MAX_NAMES:
            return False
        # Where nothing was typed yet, only the best are told.
        return typed.startswith(self.typed) if self.typed else not typed


class WorkspaceIndex:
    """The way to the index process, which `follow` starts.

    ``on_indexed`` is called on the loop thread whenever a folder was gone through, and
    ``on_crash`` when the process ended by itself: `follow` starts it again.
    """

    def __init__(
        self,
        directory: Path | None,
        on_indexed: Callable[[], None],
        on_crash: Callable[[], None],
    ) -> None:
        self._directory = directory
        self._on_indexed = on_indexed
        self._on_crash = on_crash
        self._crashes = 0
        self._named: _Named | None = None
        self._asking: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[FromIndexer]] = {}
        self._last_id = 0
        self._wanted: Workspace | None = None
        self._changing = asyncio.Lock()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def follow(self, roots: Sequence[Path], settings: Settings) -> None:
        """Index these folders from now on, or end the process where there is nothing to do."""
        async with self._changing:
            wanted = self._workspace(roots, settings)
            if wanted == self._wanted and (wanted is None or self.is_running):
                return
            self._wanted = wanted
            if wanted is None:
                await self.close()
            elif await self._start():
                self._send(wanted)

    def touched(self, paths: Sequence[str]) -> None:
        """Tell of files that were made, changed or deleted on disk."""
        self._send(Touched(tuple(paths)))

    def typing(self) -> None:
        """Tell that a key was pressed."""
        self._send(Typing())

    def opened(self, path: str, snapshot: Snapshot) -> None:
        """Tell an editor's text of a file."""
        if len(snapshot.text) <= MAX_TEXT:
            self._send(Open(path, snapshot.language.id, snapshot.text))

    def closed(self, path: str) -> None:
        """Tell that the file on disk counts again."""
        self._send(Closed(path))

    async def context(
        self,
        path: str,
        snapshot: Snapshot,
        offset: int,
        profile: Profile | None,
        *,
        layout: Layout | None = None,
        spots: Sequence[tuple[str, int]] = (),
    ) -> Context:
        """Choose what the model should read before this file: what it has while that is good."""
        old = NO_CONTEXT if layout is None else layout.context
        chars = context_chars(profile)
        if not chars or not self.is_running or len(snapshot.text) > MAX_TEXT:
            return old
        seen = anchor_anew(snapshot, offset, budget_for(profile), None)
        end = offset + len(seen.suffix)
        number, language = self._next_id(), snapshot.language
        ask = Ask(
            number,
            path,
            language.id,
            snapshot.text,
            offset,
            seen.start,
            end,
            chars,
            tuple(spots),
        )
        answer = await self._ask(number, ask)
        if not isinstance(answer, Found):
            return old
        new = Context(answer.repository, answer.path, answer.snippets, _comment(language))
        return refreshed(old, new, chars)

    async def names(self, path: str, spot: Spot) -> Sequence[tuple[str, str]]:
        """Return names other files define for the word being typed, with their kinds.

        They are asked for once a word, or again while there are too many to list.
        """
        if not self.is_running:
            return ()
        word = (path, spot.start, spot.receiver)
        if self._named is None or not self._named.serves(word, spot.typed):
            self._named = _Named(word, spot.typed)
            self._asking = asyncio.create_task(self._ask_names(self._named))
            await asyncio.wait({self._asking}, timeout=NAMES_S)
        return [pair for pair in self._named.names or () if pair[0].startswith(spot.typed)]

    async def _ask_names(self, named: _Named) -> None:
        path, _, receiver = named.word
        number = self._next_id()
        ask = AskNames(number, path, named.typed, receiver, MAX_NAMES)
        answer = await self._ask(number, ask)
        named.names = answer.names if isinstance(answer, Names) else ()

    async def about(self, path: str, names: Sequence[str], called: Sequence[str]) -> Elsewhere:
        """Return how other files define names and call others; nothing if the index is busy."""
        if not self.is_running:
            return Elsewhere()
        number = self._next_id()
        ask = AskAbout(number, path, tuple(names), tuple(called))
        answer = await self._ask(number, ask, patience_s=ABOUT_S)
        if not isinstance(answer, About):
            return Elsewhere()
        return Elsewhere(answer.definitions, answer.uses)

    async def idle(self) -> None:
        """Return when nothing is left to read."""
        if self.is_running:
            number = self._next_id()
            await self._ask(number, Wait(number), patience_s=None)

    async def close(self) -> None:
        """End the process; it keeps what it has read."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    def _workspace(self, roots: Sequence[Path], settings: Settings) -> Workspace | None:
        wanted = settings.context
        folders = tuple(sorted({str(root) for root in roots if _is_project(root)}))
        if not (settings.enabled and wanted.enabled and folders) or self._directory is None:
            return None
        return Workspace(
            directory=str(self._directory),
            roots=folders,
            exclude=(*wanted.exclude, *settings.completion.exclude),
            max_files=wanted.max_files,
            max_bytes=wanted.max_file_kilobytes * 1000,
        )

    async def _start(self) -> bool:
        if self.is_running:
            return True
        try:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        except OSError:
            log.warning("the index process cannot be started; there is no context")
            return False
        self._reader = asyncio.create_task(self._read(self._process))
        return True

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        stdout = process.stdout
        assert stdout is not None, "stdout is a pipe"
        try:
            while True:
                length = int.from_bytes(await stdout.readexactly(HEADER_BYTES), "little")
                self._receive(decode_answer(await stdout.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            await process.wait()
        for answer in self._waiting.values():
            answer.cancel()
        if process is self._process:
            self._crashed()

    def _crashed(self) -> None:
        """Have it started again, after a pause that grows, until it seems to be of no use."""
        if self._crashes == len(RESTARTS_S):
            log.warning("the index process ended again and again; there is no context")
            return
        log.warning("the index process ended; it is started again")
        asyncio.get_running_loop().call_later(RESTARTS_S[self._crashes], self._on_crash)
        self._crashes += 1

    def _receive(self, answer: FromIndexer) -> None:
        waiting = self._waiting.get(answer.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        elif isinstance(answer, Done) and answer.id == 0:
            log.info("%d files of the workspace are indexed", answer.files)
            self._on_indexed()

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _ask(
        self, number: int, message: ToIndexer, *, patience_s: float | None = PATIENCE_S
    ) -> FromIndexer | None:
        answer: asyncio.Future[FromIndexer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._send(message)
            await asyncio.wait([answer], timeout=patience_s)
            return answer.result() if answer.done() and not answer.cancelled() else None
        finally:
            del self._waiting[number]

    def _send(self, message: ToIndexer) -> None:
        if self._process is None or self._process.stdin is None or not self.is_running:
            return
        frame = encode(message)
        if len(frame) <= MAX_FRAME_BYTES:
            self._process.stdin.write(frame)


def _comment(language: Language) -> tuple[str, str]:
    """Return what opens and closes a comment of one line."""
    if language.line_comment:
        return language.line_comment, ""
    return language.block_comment or ("#", "")


def _is_project(root: Path) -> bool:
    """Refuse home folders and what holds them: they are no projects, and full of secrets."""
    return root not in (Path.home(), *Path.home().parents)


def is_due(layout: Layout | None, snapshot: Snapshot, offset: int, asked: int | None) -> bool:
    """Tell whether the context had better be chosen anew.

    ``asked`` is the line for which it was chosen last, None if never.
    """
    if layout is None or asked is None:
        return True
    return layout.outgrown or abs(snapshot.line_of(offset) - asked) > FAR_LINES
