"""Put in place what a review would write instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fimble.features.offer import SOURCE, Look, Offer, Outcome, Task
from fimble.features.review import CODE
from fimble.features.writing import is_sound
from fimble.source.around import line_end
from fimble.source.edits import Edit

KIND: Final = "quickfix.fimble.review"
TITLE_CHARS: Final = 60
STALE: Final = "This does not fit here any more."


def offers(look: Look) -> Iterator[Offer]:
    """Offer the replacement that a hint brought along, for each hint."""
    for one in look.diagnostics:
        if one.source == SOURCE and one.code == CODE and one.related:
            title = f"Change to: {' '.join(one.related[0].split())[:TITLE_CHARS]}"
            yield Offer(KIND, title, one.start, one.end, (one,), {"text": one.related[0]})


async def make(task: Task) -> Outcome:
    """Replace the rest of the line, if it still parses: the hint came back through the client."""
    offer, snapshot = task.offer, task.snapshot
    text = " ".join(offer.options.get("text", "").splitlines())
    edit = Edit(offer.start, line_end(snapshot, offer.start), text)
    if text and await is_sound(snapshot, edit):
        return Outcome((edit,))
    return Outcome(message=STALE)
