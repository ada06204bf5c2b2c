"""The child process that knows the workspace: ``python -m fimble.prompt.indexer``.

Reading and parsing thousands of files would keep the server's interpreter lock from a key press,
so they have a process of their own, of low priority, that rests while somebody types. Two
threads: one takes frames from stdin and ends the process when stdin closes, the other works, one
small step after the other, and answers between the steps.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import msgspec

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
    decode_request,
    encode,
)
from fimble.prompt.library import Library, open_library
from fimble.prompt.retrieve import Spot, Word
from fimble.source.languages import Languages

log = logging.getLogger("fimble.index")

REST_S: Final = 1.0
"""How long nothing is read after a key: the model needs both cores for its answer."""
SCAN_S: Final = 900.0
"""Longest one scan may work, in seconds of its own; the next start goes on from there."""
MANY: Final = 500
"""With more files touched at once (another branch) the folders are gone through instead."""


class Indexer:
    """Owns the libraries of all folders and does one step of work at a time."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._languages = Languages.load()
        self._libraries: list[Library] = []
        self._scan: Iterator[None] | None = None
        self._scanned_s = 0.0
        self._touched: dict[str, None] = {}
        self._waiting: list[int] = []
        self.rest_until = 0.0

    @property
    def has_work(self) -> bool:
        return self._scan is not None or bool(self._touched)

    def handle(self, message: ToIndexer) -> None:
        """Take one message."""
        match message:
            case Workspace():
                self._set_up(message)
            case Touched(paths=paths):
                self._touch(paths)
            case Typing():
                self.rest_until = time.monotonic() + REST_S
            case Open() | Closed():
                self._follow(message)
            case Ask():
                self._say(self._answer(message))
            case AskNames():
                self._say(self._names(message))
            case AskAbout():
                self._say(self._about(message))
            case Wait(id=number):
                self._waiting.append(number)
                self.rest_until = 0.0
                self._report()

    def step(self) -> None:
        """Do the next small piece of work: a file or so."""
        if self._touched:
            path = next(iter(self._touched))
            del self._touched[path]
            place = self._place(path)
            if place is not None and place[0].look_again(place[1]):
                self._begin_scan()
        elif self._scan is not None:
            self._scan_on(self._scan)
        self._report()

    def close(self) -> None:
        """Keep what was read."""
        for library in self._libraries:
            library.close()

    def _set_up(self, message: Workspace) -> None:
        self.close()
        opened = (
            open_library(
                Path(message.directory),
                Path(root),
                self._languages,
                exclude=message.exclude,
                max_files=message.max_files,
                max_bytes=message.max_bytes,
            )
            for root in message.roots
        )
        libraries = [library for library in opened if library is not None]
        # The innermost folder owns a file.
        self._libraries = sorted(libraries, key=lambda one: -len(str(one.root)))
        self._begin_scan()

    def _touch(self, paths: tuple[str, ...]) -> None:
        self._touched |= dict.fromkeys(paths)
        if len(self._touched) > MANY:
            self._touched.clear()
            self._begin_scan()

    def _follow(self, message: Open | Closed) -> None:
        place = self._place(message.path)
        if place is None:
            return
        library, path = place
        if isinstance(message, Open):
            library.take(path, message.language, message.text)
        else:
            library.give_back(path)

    def _begin_scan(self) -> None:
        self._scan = (step for library in tuple(self._libraries) for step in library.scan())
        self._scanned_s = 0.0

    def _scan_on(self, scan: Iterator[None]) -> None:
        started = time.monotonic()
        is_over = next(scan, self) is self
        self._scanned_s += time.monotonic() - started
        if is_over or self._scanned_s > SCAN_S:
            self._scan = None
            self._say(Done(0, self._count()))

    def _answer(self, ask: Ask) -> Found:
        place = self._place(ask.path)
        if place is None:
            return Found(ask.id)
        library, path = place
        library.take(path, ask.language, ask.text)
        spots = [
            Spot(there[1], line)
            for other, line in ask.spots
            if (there := self._place(other)) and there[0] is library
        ]
        window = (ask.start, ask.end)
        snippets = library.find(path, ask.offset, window=window, chars=ask.chars, spots=spots)
        return Found(ask.id, library.root.name, path, snippets)

    def _names(self, ask: AskNames) -> Names:
        place = self._place(ask.path)
        if place is None:
            return Names(ask.id)
        library, path = place
        word = Word(ask.typed, ask.receiver, ask.limit)
        return Names(ask.id, tuple(library.names(path, word)))

    def _about(self, ask: AskAbout) -> About:
        place = self._place(ask.path)
        if place is None:
            return About(ask.id)
        library, path = place
        defined, used = library.about(path, ask.names, ask.called)
        return About(ask.id, tuple(defined), tuple(used))

    def _place(self, path: str) -> tuple[Library, str] | None:
        """Return who owns an absolute path, and the path below its folder."""
        for library in self._libraries:
            if Path(path).is_relative_to(library.root):
                return library, Path(path).relative_to(library.root).as_posix()
        return None

    def _count(self) -> int:
        return sum(library.count for library in self._libraries)

    def _report(self) -> None:
        if not self.has_work:
            for number in self._waiting:
                self._say(Done(number, self._count()))
            self._waiting.clear()

    def _say(self, message: FromIndexer) -> None:
        self._sink.write(encode(message))
        self._sink.flush()


def serve(indexer: Indexer, inbox: queue.SimpleQueue[ToIndexer | None]) -> None:
    """Take messages, work when there is none, and rest while somebody types, until None comes."""
    while True:
        pause = max(indexer.rest_until - time.monotonic(), 0.0) if indexer.has_work else None
        try:
            message = inbox.get(timeout=pause) if pause != 0.0 else inbox.get_nowait()
        except queue.Empty:
            _guarded(indexer.step)
            continue
        if message is None:
            return
        _guarded(partial(indexer.handle, message))


def main() -> None:
    """Serve on standard input and output, at the lowest priority there is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(15)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.excepthook = _report
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    inbox: queue.SimpleQueue[ToIndexer | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(inbox,), daemon=True).start()
    indexer = Indexer(sink)
    try:
        serve(indexer, inbox)
    except BrokenPipeError:
        log.debug("the server is gone")
    indexer.close()


def _guarded(work: Callable[[], None]) -> None:
    """Run one step; a folder that cannot be read or a full disk must not end the process."""
    try:
        work()
    except (sqlite3.Error, RecursionError) as error:
        log.warning("the index could not be kept up to date: %s", type(error).__name__)


def _report(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
    """Tell what ended the process without the error's message, which may quote user code."""
    places = (f"{one.filename}:{one.lineno}" for one in traceback.extract_tb(trace))
    log.error("the index process ends: %s at %s", kind.__name__, " < ".join(places))


def _receive(inbox: queue.SimpleQueue[ToIndexer | None]) -> None:
    while header := _read_exactly(HEADER_BYTES):
        length = int.from_bytes(header, "little")
        body = _read_exactly(length) if length <= MAX_FRAME_BYTES else b""
        if not body:
            break
        try:
            inbox.put(decode_request(body))
        except msgspec.DecodeError:
            log.warning("a message could not be understood")
    inbox.put(None)


def _read_exactly(size: int) -> bytes:
    """Return so many bytes of stdin, or nothing at its end."""
    parts = bytearray()
    while len(parts) < size:
        piece = os.read(0, size - len(parts))
        if not piece:
            return b""
        parts += piece
    return bytes(parts)


if __name__ == "__main__":
    main()
