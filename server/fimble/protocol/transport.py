"""Bytes to messages: framing, standard input and output, and the socket of ``--tcp``."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from fimble.protocol.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES: Final = 65536


class Receiver(Protocol):
    """Where messages go."""

    @property
    def closed(self) -> bool: ...

    @property
    def limit(self) -> int: ...

    def receive(self, body: bytes) -> None: ...


async def converse(reader: asyncio.StreamReader, receiver: Receiver) -> None:
    """Hand over message after message until either side has enough."""
    try:
        while not receiver.closed:
            body = await read_message(reader, receiver.limit)
            if body is None:
                return
            receiver.receive(body)
            # A request's handler takes its snapshot in its first step, so let it make that step
            # before the next message changes the document.
            await asyncio.sleep(0)
    except (asyncio.IncompleteReadError, ConnectionError):
        logger.info("the client went away in the middle of a message")
    except ValueError as error:
        logger.error("the client does not speak the protocol: %s", error)


async def read_message(reader: asyncio.StreamReader, limit: int) -> bytes | None:
    """Return the body of the next message, None at the end of the stream.

    Raises ValueError when the length is no number or above ``limit`` bytes, or when a header
    never ends.
    """
    length = 0
    while line := await reader.readline():
        name, _, value = line.decode("ascii", errors="replace").partition(":")
        if name.strip().lower() == "content-length":
            length = _length(value, limit)
        elif not line.strip() and length:
            return await reader.readexactly(length)
    return None


def _length(value: str, limit: int) -> int:
    digits = value.strip()
    if not digits.isdecimal() or len(digits) > 12 or int(digits) > limit:
        raise ValueError("Content-Length is no sensible number")
    return int(digits)


def stdin_reader(loop: asyncio.AbstractEventLoop) -> asyncio.StreamReader:
    """Return a stream of this process's standard input.

    A daemon thread reads the bare descriptor: it can neither delay the end of the process nor
    hold a lock of `sys.stdin` then, and it works on pipes of every system.
    """
    reader = asyncio.StreamReader(loop=loop)
    descriptor = sys.stdin.fileno()

    def pump() -> None:
        while _tell(loop, reader, chunk := _read(descriptor)) and chunk:
            pass

    threading.Thread(target=pump, name="stdin", daemon=True).start()
    return reader


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError:
        return b""


def _tell(loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader, chunk: bytes) -> bool:
    """Feed the stream from another thread; False when the loop is gone."""
    feed: Callable[[], None] = reader.feed_eof if not chunk else lambda: reader.feed_data(chunk)
    try:
        loop.call_soon_threadsafe(feed)
    except RuntimeError:
        return False
    return True


class StdoutWriter:
    """Standard output, kept for the protocol alone: what libraries print goes to stderr."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._stream: BinaryIO = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def write(self, data: bytes) -> None:
        """Send; a client that left is noticed where its messages are read."""
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            logger.debug("the client does not listen any more")

    def close(self) -> None:
        """Send no more."""
        try:
            self._stream.close()
        except OSError:
            logger.debug("the client left before it had read everything")
