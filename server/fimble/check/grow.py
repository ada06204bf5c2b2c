"""Parse while decoding: the syntax tree tells, line by line, when a suggestion is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fimble.check.parse import closed
from fimble.check.place import opens
from fimble.check.stop import Mode
from fimble.check.trim import trim
from fimble.source.fragment import fragment_around
from fimble.source.languages import BlockStyle

if TYPE_CHECKING:
    from fimble.check.place import Place
    from fimble.source.fragment import Fragment
    from fimble.source.text import Snapshot

MAX_BROKEN_LINES: Final = 3
"""So many lines in a row may parse worse: a long statement is broken until its end."""
_MAY_STAY_OPEN: Final = ('"""', "'''", "`")


class Growth:
    """Judges a suggestion after each of its lines: a rule's name to end it, or nothing.

    ``closed`` says that the node the cursor's line began is complete, ``parse`` that what was
    written will not become valid any more. Under 2 ms a line, while the model is at the next one.
    """

    def __init__(self, snapshot: Snapshot, offset: int, place: Place, mode: Mode) -> None:
        self._snapshot = snapshot
        self._offset = offset
        self._place = place
        self._mode = mode
        in_line = mode in {Mode.LINE, Mode.GAP}
        self._fragment = None if in_line else fragment_around(snapshot, offset, offset)
        self._errors = self._fragment.errors("") if self._fragment else 0
        self._broken = 0

    def __call__(self, text: str) -> str:
        """Judge the text up to the end of its last whole line."""
        if self._fragment is None:
            return ""
        fitting = trim(text, self._place, self._mode)
        if not fitting.text or fitting.replaced:
            return ""
        if self._mode is Mode.BODY and self._closes(self._fragment, fitting.text):
            return "closed"
        broken = self._is_broken(self._fragment, fitting.text)
        self._broken = self._broken + 1 if broken else 0
        return "parse" if self._broken >= MAX_BROKEN_LINES else ""

    def _closes(self, fragment: Fragment, text: str) -> bool:
        """Tell whether the node that the cursor's line opened ends in the last line of ``text``."""
        goes_on = opens(text.rpartition("\n")[2], self._place.style)
        return not goes_on and fragment.closed_by(text)

    def _is_broken(self, fragment: Fragment, text: str) -> bool:
        # Where blocks end with a word, what is missing cannot be told from the text alone.
        if self._place.style is BlockStyle.END:
            return False
        block = self._snapshot.language.block_comment
        if any(text.count(quote) % 2 for quote in _MAY_STAY_OPEN) or (
            block is not None and text.count(block[0]) > text.count(block[1])
        ):
            return False
        wholes = (text, closed(text, self._snapshot, self._offset))
        return all(fragment.errors(whole) > self._errors for whole in wholes)
