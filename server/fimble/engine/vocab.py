"""The vocabulary as bytes: FIM sentinels found by their spelling, and token healing.

Healing: text ends inside a word ("ret"), but the model never saw that cut ("return" is one
token). So the last token is taken back and the next one must agree with the bytes taken away.
Without it the exact-match rate of a cursor inside a word falls to between a quarter and three
quarters (measured on HumanEval-Infilling). The idea is guidance's token healing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fimble.engine.messages import FimOrder

TokenIds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of models spells its sentinels; ``architectures`` empty means any."""

    order: FimOrder
    spellings: Mapping[str, str]
    required: tuple[str, ...] = ("prefix", "suffix", "middle")
    architectures: tuple[str, ...] = ()


FAMILIES: Final = (
    # Mellum is a llama with StarCoder's spellings, but was trained suffix first, after the name.
    Family(
        FimOrder.SUFFIX_FIRST,
        {
            "prefix": "<fim_prefix>",
            "suffix": "<fim_suffix>",
            "middle": "<fim_middle>",
            "file": "<filename>",
        },
        required=("prefix", "suffix", "middle", "file"),
        architectures=("llama",),
    ),
    Family(
        FimOrder.SUFFIX_FIRST,
        {"prefix": "<[fim-prefix]>", "suffix": "<[fim-suffix]>", "middle": "<[fim-middle]>"},
    ),
    # Codestral has no middle: ``[SUFFIX]S[PREFIX]P`` and the model goes on.
    Family(
        FimOrder.SUFFIX_FIRST,
        {"prefix": "[PREFIX]", "suffix": "[SUFFIX]"},
        required=("prefix", "suffix"),
    ),
    Family(
        FimOrder.PREFIX_FIRST,
        {
            "prefix": "<|fim_prefix|>",
            "suffix": "<|fim_suffix|>",
            "middle": "<|fim_middle|>",
            "pad": "<|fim_pad|>",
            "repo": "<|repo_name|>",
            "file": "<|file_sep|>",
        },
    ),
    Family(
        FimOrder.PREFIX_FIRST,
        {
            "prefix": "<fim_prefix>",
            "suffix": "<fim_suffix>",
            "middle": "<fim_middle>",
            "pad": "<fim_pad>",
            "repo": "<repo_name>",
            "file": "<file_sep>",
        },
    ),
    Family(
        FimOrder.PREFIX_FIRST,
        {
            "prefix": "<｜fim▁begin｜>",  # noqa: RUF001  (DeepSeek's own spelling)
            "suffix": "<｜fim▁hole｜>",  # noqa: RUF001
            "middle": "<｜fim▁end｜>",  # noqa: RUF001
        },
    ),
    Family(
        FimOrder.PREFIX_FIRST,
        {
            "prefix": "<|code_prefix|>",
            "suffix": "<|code_suffix|>",
            "middle": "<|code_middle|>",
        },
    ),
    Family(FimOrder.PREFIX_FIRST, {"prefix": "▁<PRE>", "suffix": "▁<SUF>", "middle": "▁<MID>"}),
)


def find_sentinels(
    named: Mapping[str, int], special: Callable[[str], int | None], architecture: str
) -> tuple[dict[str, int], FimOrder] | None:
    """The sentinel ids and the order the model was trained on, or None without FIM.

    ``named`` are llama.cpp's own findings (-1 for none), ``special`` looks up a spelling. The
    spellings come first because they also tell the order; llama.cpp knows more spellings of the
    prefix-first form.
    """
    for family in FAMILIES:
        if family.architectures and architecture not in family.architectures:
            continue
        ids = {name: special(text) for name, text in family.spellings.items()}
        found = {name: token for name, token in ids.items() if token is not None}
        if all(name in found for name in family.required):
            return found, family.order
    found = {name: token for name, token in named.items() if token >= 0}
    if all(name in found for name in ("prefix", "suffix", "middle")):
        return found, FimOrder.PREFIX_FIRST
    return None


class Vocabulary:
    """Token bytes, sorted once, for healing; and what may never be generated as text."""

    def __init__(
        self, token_bytes: Sequence[bytes], *, stops: frozenset[int], silent: Sequence[int]
    ) -> None:
        """``stops`` end a generation; ``silent`` are the other tokens without text."""
        self.token_bytes = token_bytes
        self.stops = stops
        self.banned: TokenIds = np.asarray(silent, np.int64)
        ids = [token for token, data in enumerate(token_bytes) if data]
        ids.sort(key=token_bytes.__getitem__)
        self._ids: TokenIds = np.asarray(ids, np.int64)
        self._sorted = [token_bytes[token] for token in ids]
        self._exact = {token_bytes[token]: token for token in reversed(ids)}

    def starting_with(self, pending: bytes) -> TokenIds:
        """Tokens whose bytes begin with ``pending``, or are themselves a beginning of it."""
        low = bisect_left(self._sorted, pending)
        high = bisect_left(self._sorted, _successor(pending), low)
        shorter = [self._exact.get(pending[:end]) for end in range(1, len(pending))]
        heads = [token for token in shorter if token is not None]
        return np.concatenate([self._ids[low:high], np.asarray(heads, np.int64)])


def _successor(prefix: bytes) -> bytes:
    """The first byte string after all that begin with ``prefix``."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\xff" * 64
