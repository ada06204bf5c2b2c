"""The anchored prompt: what stands before the cursor, what follows, and where they were cut.

    ... prefix window │ anchor ... delta ... █ closers │ suffix window ...

The anchor is a line start a few lines above the cursor, and the model reads
``prefix suffix delta`` in this order. Typing, Enter, Backspace and accepting a suggestion change
only the delta, which is the end of the prompt, so everything before it stays in the KV cache.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from fimble.engine.messages import Profile
from fimble.prompt.context import NO_CONTEXT, Context
from fimble.source.text import Snapshot

CHARS_PER_TOKEN: Final = 3.5
"""Code on the Qwen2.5 vocabulary, measured on 100 files each of nine languages: 3.3 for dense
Python, 3.5 TypeScript, 3.7 Go, 3.9 Rust, 4.0 C++, 4.3 Java, 5.1 C#. The low end is taken, so that
a budget in characters rarely exceeds its tokens."""

PREFIX_TOKENS: Final = 1024
SUFFIX_TOKENS: Final = 256
LARGEST_TOKENS: Final = PREFIX_TOKENS + SUFFIX_TOKENS
FULL_SECONDS: Final = 10.0
"""Longest the full windows may take to read, in the background. Every token of them also slows
writing down: 21 ms a token behind 60 tokens, 34 ms behind 1,400 (0.5B, two cores). It is worth
it: a machine that saw 411 tokens in 3 seconds had 6 of 40 lines of recent code exactly right, and
12 with the 1,280 that fit 10."""
QUICK_SECONDS: Final = 0.75
"""Longest a typist waits for a new prompt after a jump; the full windows are read afterwards."""
MIN_SHARE: Final = 0.125
"""Least part of the full budget: with less the model no longer sees what the code is about."""
CONTEXT_TOKENS: Final = 1024
CONTEXT_SECONDS: Final = 2.0
"""Longest the context may take to read, in the background, beside the full windows."""
MIN_CONTEXT_CHARS: Final = 300
"""With less room than this no snippet says enough to be worth its tokens."""
RESERVED_TOKENS: Final = 384
"""Room in the context for the delta, the file's name and the answer."""

ANCHOR_LINES: Final = 3
"""Lines between anchor and cursor line: the most accurate of the distances measured on 150 rows
of HumanEval-Infilling (exact match 0.62; 0.55 for the cursor line's own start)."""
MAX_DELTA_CHARS: Final = 500
MAX_DELTA_LINES: Final = 12
MAX_VIRTUAL_CHARS: Final = 80

_CLOSERS: Final = re.compile(r"""(?:[\s)\]}>"'`;,:]|</[\w.:-]*>)*""")


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of the file the model may read, in characters (code points)."""

    prefix: int
    suffix: int

    def share(self, part: float) -> Budget:
        """A part of this budget."""
        return Budget(int(self.prefix * part), int(self.suffix * part))


@dataclass(frozen=True, slots=True)
class Layout:
    """One prompt's texts, and where they lay in the snapshot they were cut from.

    ``start`` and ``anchor`` are the prefix window's ends; ``length`` is the whole text's length
    and ``to_end`` says that the suffix window reaches the end of the file. ``path`` is the bare
    file name: prompts never carry the names of folders outside the workspace. ``context`` is what
    stands before the file, ``lead`` what stands before a notebook's cell in the cells above it.
    A ``quick`` layout has smaller windows than it could have.
    """

    uri: str
    path: str
    prefix: str
    suffix: str
    delta: str
    start: int
    anchor: int
    length: int
    to_end: bool
    quick: bool = False
    context: Context = NO_CONTEXT
    lead: str = ""

    def is_like(self, other: Layout) -> bool:
        """Whether all but what was typed since the anchor is the same."""
        mine, theirs = (self.context, self.lead), (other.context, other.lead)
        return mine == theirs and (self.prefix, self.suffix) == (other.prefix, other.suffix)

    @property
    def outgrown(self) -> bool:
        """Whether a better anchor is worth reading in advance, before this one must go."""
        return (
            self.quick
            or len(self.delta) > MAX_DELTA_CHARS // 2
            or self.delta.count("\n") > MAX_DELTA_LINES // 2
        )


def budget_for(profile: Profile | None) -> Budget:
    """The full windows: what this machine reads within `FULL_SECONDS` and the context holds."""
    share = share_within(FULL_SECONDS, profile)
    if profile is not None:
        room = (profile.n_ctx - RESERVED_TOKENS) / LARGEST_TOKENS
        share = min(share, max(0.0, room))
    full = Budget(int(PREFIX_TOKENS * CHARS_PER_TOKEN), int(SUFFIX_TOKENS * CHARS_PER_TOKEN))
    return full.share(share)


def context_chars(profile: Profile | None) -> int:
    """Return how much context may be read within `CONTEXT_SECONDS`, in characters; 0 for none.

    The full windows go first where the model has not room for all.
    """
    tokens = float(CONTEXT_TOKENS)
    if profile is not None:
        windows = budget_for(profile)
        taken = RESERVED_TOKENS + (windows.prefix + windows.suffix) / CHARS_PER_TOKEN
        tokens = min(tokens, profile.n_ctx - taken)
        if profile.prefill_rate:
            tokens = min(tokens, profile.prefill_rate * CONTEXT_SECONDS)
    chars = int(tokens * CHARS_PER_TOKEN)
    return chars if chars >= MIN_CONTEXT_CHARS else 0


def quick_share(profile: Profile | None) -> float:
    """The part of the full windows that is read within `QUICK_SECONDS`."""
    return share_within(QUICK_SECONDS, profile) / share_within(FULL_SECONDS, profile)


def quick_tokens(profile: Profile | None) -> int:
    """How many tokens a typist waits for after a jump."""
    return int(share_within(QUICK_SECONDS, profile) * LARGEST_TOKENS)


def share_within(seconds: float, profile: Profile | None) -> float:
    """The part of the largest windows that this machine reads in so long; `MIN_SHARE` at least.

    Without a profile, or with a rate of 0 (not measured yet), all of them.
    """
    if profile is None or not profile.prefill_rate:
        return 1.0
    return min(1.0, max(MIN_SHARE, profile.prefill_rate * seconds / LARGEST_TOKENS))


def lay_out(
    snapshot: Snapshot,
    offset: int,
    budget: Budget,
    previous: Layout | None,
    *,
    quick: float = 1.0,
) -> Layout:
    """Cut the prompt for a cursor at ``offset``, keeping ``previous`` wherever it still holds.

    Where it does not, somebody waits for a new prompt to be read: only the ``quick`` part of the
    windows is taken, apart from a prefix that goes on from the one read before. The context is
    always the one read before: a new one has to be read in advance.
    """
    if previous is not None and previous.uri != snapshot.uri:
        previous = None
    if previous is not None and snapshot.lead.endswith(previous.lead):
        for moved in _shifts(snapshot, previous):
            if _holds(snapshot.text, offset, moved):
                return replace(moved, delta=snapshot.text[moved.anchor : offset])
    return _anchored(snapshot, offset, budget, previous, quick)


def anchor_anew(
    snapshot: Snapshot,
    offset: int,
    budget: Budget,
    previous: Layout | None,
    context: Context | None = None,
) -> Layout:
    """The best prompt for a cursor at ``offset``, to be read while nobody waits.

    ``context`` takes the place of the one read before.
    """
    layout = _anchored(snapshot, offset, budget, previous, 1.0)
    return layout if context is None else replace(layout, context=context)


def _shifts(snapshot: Snapshot, previous: Layout) -> tuple[Layout, Layout]:
    """Return where the windows may be now: in place, or moved by an edit above them."""
    by = len(snapshot.text) - previous.length
    here = replace(previous, length=len(snapshot.text))
    return here, replace(here, start=previous.start + by, anchor=previous.anchor + by)


def _holds(text: str, offset: int, layout: Layout) -> bool:
    """Tell whether the cursor is near the anchor and the text on both sides is the same as then."""
    return (
        layout.start >= 0
        and layout.anchor <= offset <= layout.anchor + MAX_DELTA_CHARS
        and text.count("\n", layout.anchor, offset) <= MAX_DELTA_LINES
        and text.startswith(layout.prefix, layout.start)
        and _suffix_follows(text, offset, layout)
    )


def _suffix_follows(text: str, offset: int, layout: Layout) -> bool:
    """Tell whether the suffix comes right of the cursor, at most closers between.

    Editors insert the closing half of a pair by themselves. Such closers are a virtual part of
    the suffix: the model is not told, and the check room cuts what it writes twice.
    """
    suffix = layout.suffix
    if layout.to_end:
        at = len(text) - len(suffix)
        if not text.startswith(suffix, max(at, 0)):
            return False
    else:
        at = text.find(suffix, offset, offset + MAX_VIRTUAL_CHARS + len(suffix))
    between = at - offset
    return 0 <= between <= MAX_VIRTUAL_CHARS and bool(_CLOSERS.fullmatch(text, offset, at))


def _anchored(
    snapshot: Snapshot, offset: int, budget: Budget, previous: Layout | None, quick: float
) -> Layout:
    text = snapshot.text
    anchor = _anchor(snapshot, offset)
    start = _kept_start(snapshot, anchor, budget.prefix, previous)
    if start is None:
        start = _window_start(snapshot, anchor, int(budget.prefix * quick))
    right = _right(snapshot, offset)
    end = _suffix_end(snapshot, right, int(budget.suffix * quick))
    return Layout(
        uri=snapshot.uri,
        path=_name(snapshot),
        prefix=text[start:anchor],
        suffix=text[right:end],
        delta=text[anchor:offset],
        start=start,
        anchor=anchor,
        length=len(text),
        to_end=end == len(text),
        quick=quick < 1.0,
        context=NO_CONTEXT if previous is None else previous.context,
        lead="" if start else _lead(snapshot, budget.prefix - anchor, previous, quick),
    )


def _name(snapshot: Snapshot) -> str:
    """Return the bare file name; what is no file gets an ending that tells its language."""
    uri = urlsplit(snapshot.uri)
    path = PurePosixPath(unquote(uri.path))
    endings = snapshot.language.extensions
    if uri.scheme == "file" or not path.name or not endings or path.suffix in endings:
        return path.name
    return path.with_suffix(endings[0]).name


def _lead(snapshot: Snapshot, room: int, previous: Layout | None, quick: float) -> str:
    """Return whole lines of the cells above, as many as leave a quarter of the room free.

    What was read before stays for as long as it fits and is not much less.
    """
    size = min(int(room * quick) * 3 // 4, len(snapshot.lead))
    if previous is not None and snapshot.lead.endswith(previous.lead):
        kept = len(previous.lead)
        if size // 2 <= kept <= room:
            return previous.lead
    if size <= 0:
        return ""
    cut = len(snapshot.lead) - size
    return snapshot.lead[cut:] if cut == 0 else snapshot.lead[cut:].partition("\n")[2]


def _anchor(snapshot: Snapshot, offset: int) -> int:
    """Return the line start `ANCHOR_LINES` above, or nearer where the lines are long."""
    line = snapshot.line_of(offset)
    room = MAX_DELTA_CHARS // 2
    for above in range(ANCHOR_LINES, -1, -1):
        start = snapshot.line_starts[max(line - above, 0)]
        if offset - start <= room:
            return start
    return offset - room


def _kept_start(snapshot: Snapshot, anchor: int, size: int, previous: Layout | None) -> int | None:
    """Return where the prefix window began, if it may stay: until it is full, not at each line."""
    if previous is None:
        return None
    for moved in _shifts(snapshot, previous):
        near = 0 <= moved.start <= anchor - size // 4 or moved.start == 0
        if near and anchor - moved.start <= size and _begins_alike(snapshot.text, moved):
            return moved.start
    return None


def _window_start(snapshot: Snapshot, anchor: int, size: int) -> int:
    """Return the start of a definition that leaves the window a half to three quarters full."""
    if anchor <= size:
        return 0
    return _definition_start(snapshot, anchor - size * 3 // 4, anchor - size // 2)


def _begins_alike(text: str, layout: Layout) -> bool:
    return text.startswith(layout.prefix[:64], layout.start)


def _definition_start(snapshot: Snapshot, low: int, high: int) -> int:
    """Return the most outward line start between two offsets, best after a blank line.

    Indentation and blank lines say where definitions begin in every language, also in broken
    code and before the file is parsed.
    """
    best, best_rank = low, (sys.maxsize, True)
    for line in range(snapshot.line_of(low) + 1, snapshot.line_of(high) + 1):
        content = snapshot.line_text(line)
        bare = content.lstrip()
        if not bare or bare[0] in ")]}":
            continue
        rank = (len(content) - len(bare), bool(snapshot.line_text(line - 1).strip()))
        if rank < best_rank:
            best, best_rank = snapshot.line_starts[line], rank
    return best


def _right(snapshot: Snapshot, offset: int) -> int:
    """Return where the suffix begins: at the cursor, or after the closers that fill the line."""
    end = snapshot.line_range(snapshot.line_of(offset))[1]
    virtual = end - offset <= MAX_VIRTUAL_CHARS and _CLOSERS.fullmatch(snapshot.text, offset, end)
    return end if virtual else offset


def _suffix_end(snapshot: Snapshot, right: int, size: int) -> int:
    """Return a line start at most ``size`` on, after a blank line if the far half has one."""
    limit = right + size
    if limit >= len(snapshot.text):
        return len(snapshot.text)
    last = snapshot.line_of(limit)
    if snapshot.line_starts[last] <= right:
        return limit
    for line in range(last, snapshot.line_of(right + size // 2), -1):
        if not snapshot.line_text(line - 1).strip():
            return snapshot.line_starts[line]
    return snapshot.line_starts[last]
