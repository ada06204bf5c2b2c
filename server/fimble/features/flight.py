"""A suggestion on its way: whoever types what it is about to say waits for its rest only.

Each key makes the answer to the key before it stale. But while the model writes ``return total``
and the user types ``ret``, what it writes is still right, and stopping it would only have the same
text written again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fimble.check.place import look
from fimble.features.complete import Completion, type_along
from fimble.features.memory import Memory
from fimble.features.written import CLOSERS

if TYPE_CHECKING:
    from fimble.source.text import Snapshot


@dataclass(slots=True)
class Flight:
    """What was asked for at ``offset`` of ``snapshot``, and what the model has ``written``."""

    snapshot: Snapshot
    offset: int
    written: str = ""

    def leads_to(self, snapshot: Snapshot, offset: int | None = None) -> bool:
        """Tell whether this text is the old one and a beginning of what is being written.

        And whether the cursor is behind it, if known. Closers that an editor added by itself at
        the end of what was typed do not count.
        """
        before, text = self.snapshot, snapshot.text
        end = len(text) - len(before.text) + self.offset
        if snapshot.uri != before.uri or end < self.offset:
            return False
        rest, start = before.text[self.offset :], before.text[: self.offset]
        if not (text.endswith(rest) and text.startswith(start)):
            return False
        typed = text[self.offset : end]
        kept = len(typed.rstrip(CLOSERS))
        if offset is not None and not self.offset + kept <= offset <= end:
            return False
        ends = {kept, len(typed)} if offset is None else {offset - self.offset}
        return any(self._agrees(typed[:length]) for length in ends)

    def rest(
        self, snapshot: Snapshot, offset: int, landed: tuple[Completion, Memory]
    ) -> Completion | None:
        """Return what is left of the answer for who typed its beginning meanwhile, if they did.

        Where only closers came behind the cursor, the answer may have to replace them.
        """
        completion, memory = landed
        if snapshot.text == self.snapshot.text and offset == self.offset:
            return completion
        if memory.shown is None:
            return None
        along = type_along(snapshot, offset, look(snapshot, offset), memory.shown)
        return along and replace(along, trace=completion.trace, detail="was on its way")

    def _agrees(self, typed: str) -> bool:
        typed = typed.replace("\r\n", "\n")  # as the model writes it
        return typed.startswith(self.written) or self.written.startswith(typed)
