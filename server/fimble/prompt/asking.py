"""What crosses the pipe between the server and the index process: small frozen structs.

A frame is a four-byte little-endian length and a MessagePack map with the struct's name.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fimble.prompt.context import Snippet

HEADER_BYTES: Final = 4
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024


class Workspace(msgspec.Struct, frozen=True, tag=True):
    """Index these folders, and nothing else from now on.

    ``exclude`` are patterns as in a ``.gitignore``, ``max_bytes`` is the largest file to read.
    """

    directory: str
    roots: tuple[str, ...]
    exclude: tuple[str, ...]
    max_files: int
    max_bytes: int


class Touched(msgspec.Struct, frozen=True, tag=True):
    """Look at these files (absolute paths) again: on disk they were made, changed or deleted."""

    paths: tuple[str, ...]


class Closed(msgspec.Struct, frozen=True, tag=True):
    """What counts of this file is on disk again, not what an editor last said."""

    path: str


class Typing(msgspec.Struct, frozen=True, tag=True):
    """Somebody types: rest for a moment."""


class Open(msgspec.Struct, frozen=True, tag=True):
    """An editor's text of a file, which counts instead of the one on disk."""

    path: str
    language: str
    text: str


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Find what may help at ``offset`` of an open file.

    At most ``chars`` of it, and nothing that ``text[start:end]``, which the model sees, says
    already. ``spots`` are paths and lines where the user was, the latest first.
    """

    id: int
    path: str
    language: str
    text: str
    offset: int
    start: int
    end: int
    chars: int
    spots: tuple[tuple[str, int], ...] = ()


class AskNames(msgspec.Struct, frozen=True, tag=True):
    """Say which names that begin with ``typed`` other files than ``path`` define.

    ``receiver`` is what stands before an access operator, None where there is no operator.
    """

    id: int
    path: str
    typed: str
    receiver: str | None
    limit: int


class AskAbout(msgspec.Struct, frozen=True, tag=True):
    """Say how other files than ``path`` define ``names``, and which of their lines call others."""

    id: int
    path: str
    names: tuple[str, ...]
    called: tuple[str, ...] = ()


class Wait(msgspec.Struct, frozen=True, tag=True):
    """Answer when nothing is left to read."""

    id: int


class Found(msgspec.Struct, frozen=True, tag=True):
    """The answer to an `Ask`: snippets, ``path`` below the folder ``repository``."""

    id: int
    repository: str = ""
    path: str = ""
    snippets: tuple[Snippet, ...] = ()


class Names(msgspec.Struct, frozen=True, tag=True):
    """The answer to an `AskNames`: names with the kinds of what they define, the best first."""

    id: int
    names: tuple[tuple[str, str], ...] = ()


class About(msgspec.Struct, frozen=True, tag=True):
    """The answer to an `AskAbout`: signatures by file, and lines, those of tests first."""

    id: int
    definitions: tuple[Snippet, ...] = ()
    uses: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True, tag=True):
    """The answer to a `Wait`; with id 0, said by itself when the workspace was gone through."""

    id: int
    files: int


ToIndexer = Workspace | Touched | Closed | Typing | Open | Ask | AskNames | AskAbout | Wait
FromIndexer = Found | Names | About | Done

_ENCODER: Final = msgspec.msgpack.Encoder()


def encode(message: ToIndexer | FromIndexer) -> bytes:
    """Return the whole frame, header included."""
    body = _ENCODER.encode(message)
    return len(body).to_bytes(HEADER_BYTES, "little") + body


def decode_request(body: bytes) -> ToIndexer:
    """Read a frame's body in the index process; raises `msgspec.ValidationError`."""
    message: ToIndexer = msgspec.msgpack.decode(body, type=ToIndexer)
    return message


def decode_answer(body: bytes) -> FromIndexer:
    """Read a frame's body in the server; raises `msgspec.ValidationError`."""
    answer: FromIndexer = msgspec.msgpack.decode(body, type=FromIndexer)
    return answer
