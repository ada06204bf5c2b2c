"""Which windows of a file the model is to read: before a request, and for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fimble.engine.messages import FimOrder, Prompt, State
from fimble.errors import PromptTooLong
from fimble.features.memory import Memory
from fimble.prompt.fim import Sentinel, prompt_for
from fimble.prompt.layout import (
    Budget,
    Layout,
    anchor_anew,
    budget_for,
    lay_out,
    quick_share,
    quick_tokens,
)

if TYPE_CHECKING:
    from fimble.engine.base import Engine
    from fimble.errors import FimbleError
    from fimble.prompt.context import Context
    from fimble.source.text import Snapshot

LEAST_CHARS: Final = 200
"""Windows so small are not halved for a prompt that does not fit. Others are: a character of code
is a third of a token, but one of a script that the vocabulary hardly knows up to three."""


def warm(
    snapshot: Snapshot, offset: int, memory: Memory | None, engine: Engine
) -> tuple[Prompt | None, Memory]:
    """Lay out the prompt for ``offset``, to be read in advance or to be answered.

    The memory returned carries the anchor: keep it even if the reading is abandoned.
    """
    memory = memory or Memory()
    status = engine.status
    if status.info is None or status.state is not State.READY:
        return None, memory
    profile = status.profile
    layout = lay_out(
        snapshot, offset, budget_for(profile), memory.layout, quick=quick_share(profile)
    )
    return prompt_for(layout, status.info), replace(memory, layout=layout)


async def warm_or_larger(
    snapshot: Snapshot, offset: int, memory: Memory, engine: Engine
) -> tuple[Prompt | None, Memory]:
    """Lay out as `warm` does, but with the largest windows that are read as soon as quick ones.

    They are where the beginning of the file was read in advance, and where the user has been
    before: in this file, or before a restart.
    """
    prompt, warmed = warm(snapshot, offset, memory, engine)
    status, before, layout = engine.status, memory.layout, warmed.layout
    if prompt is None or status.info is None or layout is None or not layout.quick:
        return prompt, warmed
    if before is not None and layout.is_like(before):
        return prompt, warmed
    full, share = budget_for(status.profile), quick_share(status.profile)
    whole = anchor_anew(snapshot, offset, full, before)
    less = Budget(full.prefix, int(full.suffix * share))
    beginning = replace(anchor_anew(snapshot, offset, less, before), quick=True)
    layouts = whole, beginning, layout
    prompts = prompt_for(whole, status.info), prompt_for(beginning, status.info), prompt
    unread = await engine.unread(prompts)
    most = max(unread[-1], quick_tokens(status.profile))
    chosen = next(index for index, tokens in enumerate(unread) if tokens <= most)
    return prompts[chosen], replace(warmed, layout=layouts[chosen])


def read_ahead(
    snapshot: Snapshot, engine: Engine, context: Context | None = None
) -> tuple[Prompt, Layout] | None:
    """Give the beginning of a file just opened, to be read while the cursor is not known yet.

    Wherever in the first window the user then types, everything up to the anchor is known. The
    layout is what to remember once the prompt was read.
    """
    status = engine.status
    if status.info is None or status.info.order is not FimOrder.PREFIX_FIRST:
        return None
    budget = budget_for(status.profile)
    offset = min(budget.prefix, len(snapshot.text))
    layout = anchor_anew(snapshot, offset, budget, None, context)
    parts = prompt_for(layout, status.info).parts
    beginning = parts[: parts.index(status.info.sentinels[Sentinel.SUFFIX])]
    return Prompt(beginning, heal=False), layout


def halved(
    snapshot: Snapshot, offset: int, layout: Layout | None, error: FimbleError
) -> Layout | None:
    """Take half of the windows and no context, if their tokens are the trouble; else None."""
    if not isinstance(error, PromptTooLong) or layout is None:
        return None
    if len(layout.prefix) + len(layout.suffix) < LEAST_CHARS:
        return None
    half = Budget(len(layout.prefix) // 2, len(layout.suffix) // 2)
    return anchor_anew(snapshot, offset, half, None)
