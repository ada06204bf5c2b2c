"""What the model last wrote, shown or not: who types the beginning of it need not ask again.

A greedy model that wrote ``urn total`` behind ``ret`` writes ``n total`` behind ``retur``, with the
same probabilities. So a draft that was too unsure to be shown answers the next keys as well: its
rest is judged anew, and what was unsure about it may be just what the user has typed meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from fimble.engine.base import Trace

if TYPE_CHECKING:
    from fimble.check.stop import Mode
    from fimble.engine.messages import Piece
    from fimble.source.text import Snapshot

KEPT_CHARS: Final = 200
"""How much text on either side must be as it was for a text to be typed along."""
CUT_SHARE: Final = 4
"""Of a draft that was cut short one part in so many may be typed along: what the model would add
at its end for that is little, and writing all the rest again takes longest of all."""
CLOSERS: Final = ")]}\"'`>"


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model wrote, token by token, and what that cost."""

    pieces: tuple[Piece, ...]
    cut_short: bool
    stopped_by: str
    trace: Trace

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Written:
    """A draft, and what stood on both sides of it."""

    uri: str
    start: int
    left: str
    right: str
    mode: Mode
    draft: Draft


class Known(Protocol):
    """A text that was written or shown: where, and behind what."""

    @property
    def uri(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def left(self) -> str: ...


def sides(text: str, start: int, end: int) -> tuple[str, str]:
    """Return enough of what surrounds a place to know it again."""
    return text[max(start - KEPT_CHARS, 0) : start], text[end : end + KEPT_CHARS]


def note(snapshot: Snapshot, offset: int, mode: Mode, draft: Draft) -> Written:
    """Return a draft with what surrounds it."""
    return Written(snapshot.uri, offset, *sides(snapshot.text, offset, offset), mode, draft)


def remaining(snapshot: Snapshot, offset: int, written: Written) -> Draft | None:
    """Return what is left of a draft for who typed its beginning, at no cost; None for others.

    Closers that an editor added right of the cursor do not count. A draft that came to no end by
    itself soon says too little.
    """
    draft = written.draft
    if not follows(snapshot, offset, written):
        return None
    typed = snapshot.text[written.start : offset].replace("\r\n", "\n")  # as the model writes it
    if draft.cut_short and CUT_SHARE * len(typed) > len(draft.text):
        return None
    if not draft.text.startswith(typed) or not draft.text[len(typed) :].strip():
        return None
    behind = snapshot.text[offset : offset + 2 * KEPT_CHARS]
    added = len(behind) - len(behind.lstrip(CLOSERS))
    if all(behind[count:][:KEPT_CHARS] != written.right for count in range(added + 1)):
        return None
    return replace(draft, pieces=_behind(draft.pieces, len(typed)), trace=Trace())


def expected(snapshot: Snapshot, offset: int, written: Written | None) -> str:
    """Guess what the model will write where the user left a draft: what stood there in it."""
    if written is None or not follows(snapshot, offset, written):
        return ""
    return written.draft.text[offset - written.start :]


def follows(snapshot: Snapshot, offset: int, known: Known) -> bool:
    """Tell whether an offset is where a text is or behind it, and what led there is as it was."""
    left = known.start - len(known.left)
    return (
        snapshot.uri == known.uri
        and offset >= known.start
        and left >= 0
        and snapshot.text.startswith(known.left, left)
    )


def _behind(pieces: tuple[Piece, ...], count: int) -> tuple[Piece, ...]:
    """Leave out so many characters.

    The first piece left is the one that the user has typed, if only the last character of it: in
    the model as well it is the one that begins with what was typed.
    """
    for index, piece in enumerate(pieces):
        if count <= len(piece.text):
            return (replace(piece, text=piece.text[count:]), *pieces[index + 1 :])
        count -= len(piece.text)
    return ()
