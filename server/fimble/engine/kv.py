"""What the KV cache holds, and what a new prompt can grow from.

Three tiers. The context has a few slots, each one llama.cpp sequence with the list of its tokens;
slots share cells wherever they share a beginning. What leaves the context is parked in a
`SegmentTree` in RAM, and from there written to disk. A prompt goes on from whichever tier knows
the longest beginning of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from fimble.engine.segments import Blob, Segment, SegmentTree

FORK_TOKENS: Final = 192
"""A slot whose tail is longer than this is forked rather than cut: going back is then free.
Typing leaves tails of a few dozen tokens; leaving a place in a file leaves a suffix of 200."""
SPARED_TOKENS: Final = 16
"""A shorter limit for work in advance: it must not cost the next key press what that had read."""
CHEAP_TOKENS: Final = 64
"""A slot that holds at most so many tokens of its own is given up first: what was made while
thinking ahead is a prompt that another slot has as well, and a suggestion or two."""
RESTORE_TOKENS: Final = 16
"""Least gain for which a parked state is brought back: a restore takes as long as reading this
many tokens (2 ms a segment against 4 ms a token with the 0.5B on two cores)."""


class Cells(Protocol):
    """The operations on llama.cpp's cells that this room needs."""

    def remove(self, seq: int, start: int, end: int = -1) -> None:
        """Drop positions ``[start, end)`` of a sequence."""
        ...

    def copy(self, source: int, target: int, end: int) -> None:
        """Let ``target`` share the first ``end`` cells of ``source``."""
        ...

    def save(self, seq: int, start: int, end: int) -> Blob:
        """The cells ``[start, end)`` of a sequence as bytes."""
        ...

    def restore(self, seq: int, blob: Blob, used: int) -> bool:
        """Append the first ``used`` cells of a saved range; False when they do not fit."""
        ...


@dataclass(slots=True)
class Slot:
    """One sequence: its tokens are exactly what its cells hold.

    The first ``stable`` of them are worth parking; behind them is what was typed and generated.
    """

    seq: int
    tokens: list[int] = field(default_factory=list)
    stable: int = 0
    last_used: int = 0
    pinned: bool = False

    def is_of(self, shared: int) -> bool:
        """Whether so long a common beginning makes it the same file's: all prompts begin alike."""
        return self.stable - shared <= shared


class KVCache:
    """The slots of one context and the tree behind them; used by the inference thread alone."""

    def __init__(self, cells: Cells, n_slots: int, tree: SegmentTree) -> None:
        self._cells = cells
        self._tree = tree
        self.slots = [Slot(seq) for seq in range(n_slots)]
        self._clock = 0

    def claim(self, tokens: list[int], *, fork_over: int = FORK_TOKENS) -> tuple[Slot, int] | None:
        """Pin a slot that holds the longest known beginning of ``tokens`` and nothing after it.

        A slot that would lose more than ``fork_over`` tokens by that is forked, and so is one that
        would lose more of its stable ones than it keeps: it is another file's, that begins alike.
        Also says how many of those tokens came out of RAM or from disk. At least one token is
        left to evaluate, because logits are not kept. None when all slots are pinned.
        """
        if all(slot.pinned for slot in self.slots):
            return None
        limit = len(tokens) - 1
        best = max(self.slots, key=lambda slot: common_prefix(slot.tokens, tokens))
        keep = min(common_prefix(best.tokens, tokens), limit)
        path = self._tree.match(tokens[:limit])
        known = sum(used for _, used in path)
        restoring = known >= keep + RESTORE_TOKENS
        cut = len(best.tokens) - keep
        may_cut = cut <= fork_over and best.is_of(keep) and not best.pinned
        slot = best if keep and may_cut and not restoring else self._free_slot(best, keep)
        self.cut(slot, keep)
        slot.pinned = True
        restored = self._restore(slot, path) if restoring else 0
        self._touch(slot)
        return slot, restored

    def unread(self, tokens: list[int]) -> int:
        """Return how many tokens of a prompt no tier knows; at least one, as in `claim`."""
        limit = len(tokens) - 1
        held = max(common_prefix(slot.tokens, tokens) for slot in self.slots)
        parked = sum(used for _, used in self._tree.match(tokens[:limit]))
        return len(tokens) - min(max(held, parked), limit)

    def release(self, slot: Slot) -> None:
        """The work on this slot is done; what it holds stays for the next prompt."""
        slot.pinned = False
        self._touch(slot)

    def cut(self, slot: Slot, length: int) -> None:
        """Forget everything after the first ``length`` tokens."""
        if length < len(slot.tokens):
            self._cells.remove(slot.seq, length)
            del slot.tokens[length:]
            slot.stable = min(slot.stable, length)

    def make_room(self) -> bool:
        """Park the least recently used slot that nobody works on; False when there is none."""
        used = [slot for slot in self.slots if slot.tokens and not slot.pinned]
        if not used:
            return False
        self._drop(min(used, key=lambda slot: slot.last_used))
        return True

    def park(self, *, tails: bool = False) -> Iterator[None]:
        """Copy what only the context has into RAM, a segment at a time, last used first.

        With ``tails`` what is not stable as well: where the user goes on after a restart.
        """
        for slot in sorted(self.slots, key=lambda slot: -slot.last_used):
            if slot.pinned:
                continue
            if tails:
                slot.stable = len(slot.tokens)
            yield from self._park(slot)

    def persist(self) -> Iterator[None]:
        """Write what only RAM has to disk, a segment at a time, as long as the disk takes it."""
        for segment in list(self._tree.unsaved()):
            if not self._tree.save(segment):
                return
            yield

    def _free_slot(self, best: Slot, keep: int) -> Slot:
        """Empty a slot and give it the beginning that ``best`` holds.

        One that shares nearly all it holds with another goes first, then the one that was used
        longest ago: what thinking ahead leaves behind must not cost another file its place.

        ``best`` itself is taken, tail and all, only when every other slot is pinned.
        """
        others = [slot for slot in self.slots if not slot.pinned and slot is not best]
        if not others:
            for _ in self._park(best):
                pass
            return best
        slot = min(others, key=lambda slot: (not self._is_cheap(slot), slot.last_used))
        self._drop(slot)
        if keep:
            self._cells.copy(best.seq, slot.seq, keep)
            slot.tokens = best.tokens[:keep]
            slot.stable = min(best.stable, keep)
        return slot

    def _is_cheap(self, slot: Slot) -> bool:
        """Whether another slot of the same file holds nearly all that it does."""
        others = (common_prefix(slot.tokens, one.tokens) for one in self.slots if one is not slot)
        shared = max(others, default=0)
        return len(slot.tokens) - shared <= CHEAP_TOKENS and slot.is_of(shared)

    def _restore(self, slot: Slot, path: Sequence[tuple[Segment, int]]) -> int:
        """Append parked segments to the slot; how many tokens that gave."""
        restored = 0
        for segment, used in path:
            held = len(slot.tokens)
            if segment.start + used <= held:
                continue
            self.cut(slot, segment.start)  # a blob has whole segments: its cells come at once
            restored -= held - len(slot.tokens)
            blob = self._tree.blob(segment)
            while blob is not None and not self._cells.restore(
                slot.seq, blob, segment.start + used
            ):
                if not self.make_room():
                    blob = None
            if blob is None:
                break
            slot.tokens.extend(segment.tokens[:used])
            restored += used
        slot.stable = len(slot.tokens)
        return max(0, restored)

    def _park(self, slot: Slot) -> Iterator[None]:
        tokens = slot.tokens[: slot.stable]
        for parent, start, end in self._tree.missing(tokens):
            # Between two steps the slot may have been given to another prompt.
            if slot.tokens[:end] != tokens[:end]:
                return
            self._tree.put(parent, start, tokens[start:end], self._cells.save(slot.seq, start, end))
            yield

    def _drop(self, slot: Slot) -> None:
        for _ in self._park(slot):
            pass
        self._cells.remove(slot.seq, 0)
        slot.tokens = []
        slot.stable = 0

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.last_used = self._clock


def common_prefix(left: list[int], right: list[int]) -> int:
    """How many leading tokens are the same.

    Slices are compared, not tokens: that is C code, and prompts have a thousand tokens.
    """
    low, high = 0, min(len(left), len(right))
    if left[:high] == right[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
