"""Drafts: tokens that probably come next, read in one batch with the token that is certain.

A batch of four tokens takes twice as long as one, not four times, so whoever guesses three tokens
right gets four for the price of two. The text stays what it would have been: each drafted token
is kept only if the model itself chooses it. Drafts come from a text that the caller expects (the
rest of the last one), from what was written lately, because the key after a wrong suggestion often
leads back to its end, and from the prompt: code repeats itself, so what followed the last three
tokens before may follow them again (prompt lookup decoding, Saxena 2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

LOOKUP_TOKENS: Final = (6, 4, 3)
"""Lengths of a match in the prompt that make a draft, the longest first; shorter ones are right
too rarely. These and `RECENT_TOKENS` are the best of a dozen choices on 1,300 tokens of a typing
trace."""
RECENT_TOKENS: Final = (3, 2)
"""The same for what was written lately."""
RECENT: Final = 6
"""So many earlier answers are looked through."""


class Source(NamedTuple):
    """Where a draft comes from: a place, and how many tokens of a match led there."""

    place: str
    length: int = 0


GUESS: Final = Source("guess")
"""The draft follows the caller's guess from its first token on."""
PRIORS: Final = {
    GUESS: 0.8,
    Source("recent", 3): 0.7,
    Source("recent", 2): 0.6,
    Source("prompt", 6): 0.8,
    Source("prompt", 4): 0.6,
    Source("prompt", 3): 0.5,
}
"""How often a drafted token is right, before anything was learned."""
MEMORY: Final = 0.95
"""Weight of what was learned before against one more token."""
LEAST_GAIN: Final = 1.1
"""A batch must promise this many times the speed of single tokens."""


class Acceptance:
    """How often drafts were right, by their source; lives as long as the model."""

    def __init__(self, costs: Sequence[float]) -> None:
        """``costs[n - 1]`` is the time of a batch of n tokens, that of one being 1."""
        self._costs = costs
        self._rates = dict(PRIORS)

    @property
    def longest(self) -> int:
        """Most tokens worth drafting at once; 0 where batches were not measured."""
        return max(len(self._costs) - 1, 0)

    def length(self, source: Source) -> int:
        """How many tokens of this source to read at once, so that most come out a second.

        With a rate ``a`` of right tokens, k drafted ones give ``1 + a + ... + a^k`` tokens.
        """
        best, gain = 0, LEAST_GAIN
        tokens, chance = 1.0, 1.0
        for count in range(1, len(self._costs)):
            chance *= self._rates[source]
            tokens += chance
            if tokens / self._costs[count] > gain:
                best, gain = count, tokens / self._costs[count]
        return best

    def learn(self, source: Source, *, right: bool) -> None:
        """Note whether a proposed token was the model's own choice, read or not."""
        self._rates[source] = MEMORY * self._rates[source] + (1 - MEMORY) * right


class Drafter:
    """Proposes continuations for one request."""

    def __init__(
        self,
        acceptance: Acceptance,
        prompt: Sequence[int],
        guess: Sequence[int] = (),
        recent: Iterable[Sequence[int]] = (),
    ) -> None:
        """``recent`` are earlier answers, the latest first."""
        self._acceptance = acceptance
        self._guess = list(guess)
        self._texts = [self._guess, *map(list, recent)]
        self.made: list[int] = []
        """What the model has chosen so far."""
        room = len(prompt) + 256
        self._seen = np.empty(room, np.int32)
        self._seen[: len(prompt)] = prompt
        self._count = len(prompt)
        self._proposed: list[int] = []
        self._source: Source = GUESS

    def add(self, token: int) -> None:
        """Take the next token that the model chose."""
        if self._proposed:
            right = self._proposed.pop(0) == token
            self._acceptance.learn(self._source, right=right)
            if not right:
                self._proposed = []
        if self._count == len(self._seen):
            self._seen = np.concatenate([self._seen, np.empty(256, np.int32)])
        self._seen[self._count] = token
        self._count += 1
        self.made.append(token)

    def propose(self) -> list[int]:
        """Tokens worth reading together with the last one taken; mostly none.

        What is proposed but not worth reading is still compared with what comes: the rates stay
        true while no draft is read.
        """
        if not self._proposed:
            self._source, self._proposed = self._find()
        return self._proposed[: self._acceptance.length(self._source)]

    def _find(self) -> tuple[Source, list[int]]:
        longest = self._acceptance.longest
        if not longest:
            return GUESS, []
        made = len(self.made)
        if made < len(self._guess) and self._guess[:made] == self.made:
            return GUESS, self._guess[made : made + longest]
        for length in RECENT_TOKENS:
            for text in self._texts:
                end = _last_match(text, self.made[-length:])
                if made >= length and 0 < end < len(text):
                    return Source("recent", length), text[end : end + longest]
        for length in LOOKUP_TOKENS:
            end = self._last_seen(length)
            if end:
                found = self._seen[end : min(end + longest, self._count)]
                return Source("prompt", length), found.tolist()
        return GUESS, []

    def _last_seen(self, length: int) -> int:
        """Where the latest earlier occurrence of the last ``length`` tokens ends; 0 for none."""
        seen, count = self._seen, self._count
        starts = count - length
        if starts <= 0:
            return 0
        matches = np.ones(starts, bool)
        for index in range(length):
            matches &= seen[index : index + starts] == seen[starts + index]
        found = np.flatnonzero(matches)
        return int(found[-1]) + length if found.size else 0


def _last_match(text: list[int], wanted: list[int]) -> int:
    """Where the latest occurrence of some tokens in a short text ends; 0 for none."""
    length = len(wanted)
    for end in range(len(text), length - 1, -1):
        if text[end - length : end] == wanted:
            return end
    return 0
