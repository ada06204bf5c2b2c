"""What the KV cache holds: a few sequences, and which of them a new prompt can grow from.

Simple on purpose: each slot is one llama.cpp sequence with the list of its tokens; a prompt goes
on from the slot with the longest common prefix. A full manager (a tree of segments with RAM and
disk tiers) replaces `KVCache` behind the same four methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

FORK_TOKENS: Final = 192
"""A slot whose tail is longer than this is forked rather than cut: going back is then free.
Typing leaves tails of a few dozen tokens; leaving a place in a file leaves a suffix of 200."""


class Cells(Protocol):
    """The two operations on llama.cpp's cells that this room needs."""

    def remove(self, seq: int, start: int, end: int = -1) -> None: ...

    def copy(self, source: int, target: int, end: int) -> None: ...


@dataclass(slots=True)
class Slot:
    """One sequence: its tokens are exactly what its cells hold."""

    seq: int
    tokens: list[int] = field(default_factory=list)
    last_used: int = 0
    pinned: bool = False


class KVCache:
    """The slots of one context; used by the inference thread alone."""

    def __init__(self, cells: Cells, n_slots: int) -> None:
        self._cells = cells
        self.slots = [Slot(seq) for seq in range(n_slots)]
        self._clock = 0

    def claim(self, tokens: Sequence[int]) -> Slot | None:
        """Pin a slot that holds the longest known prefix of ``tokens`` and nothing after it.

        At least one token is left to evaluate, because logits are not kept. None when every slot
        is pinned by running work.
        """
        free = [slot for slot in self.slots if not slot.pinned]
        if not free:
            return None
        best = max(self.slots, key=lambda slot: common_prefix(slot.tokens, tokens))
        keep = min(common_prefix(best.tokens, tokens), len(tokens) - 1)
        oldest = min(free, key=lambda slot: slot.last_used)
        if keep == 0:
            chosen = oldest
        elif best.pinned or len(best.tokens) - keep > FORK_TOKENS:
            chosen = min(
                (slot for slot in free if slot is not best),
                key=lambda slot: slot.last_used,
                default=best,
            )
        else:
            chosen = best
        if chosen is not best:
            self._drop(chosen)
            if keep:
                self._cells.copy(best.seq, chosen.seq, keep)
                chosen.tokens = best.tokens[:keep]
        self.cut(chosen, keep)
        chosen.pinned = True
        self._touch(chosen)
        return chosen

    def release(self, slot: Slot) -> None:
        """The work on this slot is done; what it holds stays for the next prompt."""
        slot.pinned = False
        self._touch(slot)

    def cut(self, slot: Slot, length: int) -> None:
        """Forget everything after the first ``length`` tokens."""
        if length < len(slot.tokens):
            self._cells.remove(slot.seq, length)
            del slot.tokens[length:]

    def make_room(self) -> bool:
        """Drop the least recently used slot that nobody works on; False when there is none."""
        used = [slot for slot in self.slots if slot.tokens and not slot.pinned]
        if not used:
            return False
        self._drop(min(used, key=lambda slot: slot.last_used))
        return True

    def _drop(self, slot: Slot) -> None:
        self._cells.remove(slot.seq, 0)
        slot.tokens = []

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.last_used = self._clock


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens are the same."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))
