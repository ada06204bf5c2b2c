"""What llama.vim does around a server: its request, and its cache of suggestions. Pure.

Written after its documentation and behaviour, to drive `fimble bench peer`. Left out is its ring
of chunks from other places and files: with one file open and nothing yanked it hardly has any, and
what it has only makes the prompt longer.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

PREFIX_LINES: Final = 256
SUFFIX_LINES: Final = 64
MAX_LINE_SUFFIX: Final = 8
"""With more bytes than that right of the cursor it does not ask by itself."""
FIRST_MS: Final = 250
"""Its limit for what is shown first, and ..."""
SPECULATIVE_MS: Final = 1000
"""... for the request that follows, as if the suggestion had been accepted."""
MAX_PROMPT_MS: Final = 500
CACHE_ENTRIES: Final = 250
LOOK_BACK: Final = 128
"""So many typed characters are looked for in earlier suggestions."""
TRIMMED_LINES: Final = 3
"""A suggestion is also stored as if so many lines fewer had been above it."""
CURSOR: Final = "\u00ce"
"""Stands between what is before and what is behind the cursor in the keys of the cache."""

SERVER_FLAGS: Final = (
    "--ubatch-size",
    "512",
    "--batch-size",
    "1024",
    "--ctx-size",
    "0",
    "--cache-reuse",
    "256",
    "-fa",
    "on",
)
"""How its documentation starts llama-server; 0 is the whole context of the model."""

RESPONSE_FIELDS: Final = (
    "content",
    "timings/prompt_n",
    "timings/prompt_ms",
    "timings/prompt_per_token_ms",
    "timings/prompt_per_second",
    "timings/predicted_n",
    "timings/predicted_ms",
    "timings/predicted_per_token_ms",
    "timings/predicted_per_second",
    "truncated",
    "tokens_cached",
)


@dataclass(frozen=True, slots=True)
class Local:
    """What it sends of the text around the cursor; ``rest`` is what the cursor's line ends in."""

    prefix: str
    middle: str
    suffix: str
    indent: int
    rest: str


def local(text: str, cursor: int) -> Local:
    """Cut the windows around the cursor."""
    lines, row, column = _place(text, cursor)
    before, after = lines[row][:column], lines[row][column:]
    indent = len(lines[row]) - len(lines[row].lstrip())
    if not lines[row].strip():
        before, after, indent = "", "", 0
    return _windows(lines, row, before, after, indent)


def local_if_accepted(text: str, cursor: int, suggestion: str) -> Local:
    """Cut them as if a suggestion of one line had been accepted."""
    lines, row, _ = _place(text, cursor)
    now = local(text, cursor)
    before = now.middle + suggestion + now.rest
    if not lines[row].strip():  # what the line has of the suggestion's indentation is not doubled
        bare = suggestion.lstrip()
        before = lines[row] + suggestion[min(len(suggestion) - len(bare), len(lines[row])) :]
    return _windows(lines, row, before, "", now.indent)


def request(place: Local, *, max_tokens: int, max_predict_ms: int) -> dict[str, Any]:
    """Return the body of its POST to /infill, set up for suggestions of one line."""
    return {
        "id_slot": 0,
        "input_prefix": place.prefix,
        "input_suffix": place.suffix,
        "input_extra": [],
        "prompt": place.middle,
        "n_predict": max_tokens,
        "stop": ["\n"],
        "n_indent": place.indent,
        "top_k": 40,
        "top_p": 0.90,
        "samplers": ["top_k", "top_p", "infill"],
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": MAX_PROMPT_MS,
        "t_max_predict_ms": max_predict_ms,
        "response_fields": list(RESPONSE_FIELDS),
    }


def asks_here(place: Local) -> bool:
    """Tell whether it asks by itself in such a place."""
    return len(place.rest.encode()) <= MAX_LINE_SUFFIX


class SuggestionCache:
    """Its cache: what was suggested where, found again when the user typed along."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def __contains__(self, place: Local) -> bool:
        return any(key in self._known for key in _keys(place))

    def put(self, place: Local, suggestion: str) -> None:
        """Remember what the server suggested."""
        for key in _keys(place):
            self._known[key] = suggestion
            self._known.move_to_end(key)
            if len(self._known) > CACHE_ENTRIES:
                self._known.popitem(last=False)

    def get(self, place: Local) -> str | None:
        """Return what is known for here, or the longest rest of what was typed along."""
        exact = self._get(place.prefix + place.middle, place.suffix)
        if exact is not None:
            return exact
        before, best = place.prefix + place.middle, ""
        for count in range(1, LOOK_BACK + 1):
            typed = before[-count:]
            earlier = self._get(before[:-count], place.suffix)
            if earlier is not None and earlier.startswith(typed):
                best = max(best, earlier[count:], key=len)
        return best or None

    def _get(self, before: str, suffix: str) -> str | None:
        key = _key(before, suffix)
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)


def _keys(place: Local) -> Iterator[bytes]:
    prefix = place.prefix
    yield _key(prefix + place.middle, place.suffix)
    for _ in range(TRIMMED_LINES):
        prefix = prefix.partition("\n")[2]
        if not prefix:
            return
        yield _key(prefix + place.middle, place.suffix)


def _key(before: str, suffix: str) -> bytes:
    return hashlib.sha256(f"{before}{CURSOR}{suffix}".encode()).digest()


def _place(text: str, cursor: int) -> tuple[list[str], int, int]:
    """Return the lines as Vim has them, and the cursor's row and column."""
    before = re.split(r"\r\n|\n|\r", text[:cursor])
    lines = re.split(r"\r\n|\n|\r", text)
    row, column = len(before) - 1, len(before[-1])
    if not lines[-1] and row < len(lines) - 1:
        lines.pop()  # the last line's terminator begins no line
    return lines, row, column


def _windows(lines: list[str], row: int, before: str, after: str, indent: int) -> Local:
    above = lines[max(row - PREFIX_LINES, 0) : row]
    below = lines[row + 1 : row + 1 + SUFFIX_LINES]
    return Local(
        prefix="\n".join(above) + "\n",
        middle=before,
        suffix=after + "\n" + "\n".join(below) + "\n",
        indent=indent,
        rest=after,
    )
