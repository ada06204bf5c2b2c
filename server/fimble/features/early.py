"""A block's first lines, to be shown while the model writes the rest of it.

A block takes seconds on a small processor, and its first lines can be read meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fimble.check.place import unspaced
from fimble.features.written import Draft

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fimble.engine.base import Trace
    from fimble.engine.messages import Piece, Profile
    from fimble.features.complete import Completion

EARLY_SECONDS: Final = 0.75
"""A block that takes no longer is shown whole; counted in tokens, so that the same place always
has the same first lines. After a second a user's thoughts are elsewhere (Nielsen, Usability
Engineering, 1993), and the prompt has to be read as well."""
GOES_ON: Final = "goes on"
"""The detail of an answer that may become longer."""


class Early:
    """Judges a draft after each line, until its beginning may be shown; once is enough."""

    def __init__(
        self,
        profile: Profile | None,
        judge: Callable[[Draft], Awaitable[Completion]],
        show: Callable[[Completion], None],
    ) -> None:
        rate = profile.decode_rate if profile else 0.0
        self._least = int(rate * EARLY_SECONDS)
        """Tokens; 0 where it is not known how long they take."""
        self._judge = judge
        self._show = show
        self._is_done = not self._least

    async def look(self, pieces: Sequence[Piece], trace: Trace) -> None:
        """Judge what was written so far, half a line at its end apart."""
        if self._is_done or len(pieces) < self._least or "\n" not in pieces[-1].text:
            return
        draft = Draft(tuple(pieces), cut_short=True, stopped_by="", trace=trace)
        part = await self._judge(draft)
        # What had to be closed to be shown would not become longer, but other.
        if part.text and unspaced(draft.text).startswith(unspaced(part.text)):
            self._is_done = True
            self._show(replace(part, goes_on=True, detail=GOES_ON))
