"""How likely texts are that somebody else wrote: ranking candidates, and finding what surprises.

Nothing is generated. Both questions read a prompt through the same KV slots as a completion does,
so what a file's suggestions have read costs nothing again, and leave the slot as long as the
prompt: what they read behind it is of no use to anybody.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fimble.engine.decode import Decoder, Encoded, Logits, with_room
from fimble.engine.kv import KVCache, Slot
from fimble.engine.llama.context import BRANCHES, N_OUTPUTS_MAX, N_UBATCH, Context, Outcome
from fimble.engine.messages import Judge, Judged, Priority, Prompt, Rank, Ranked, Surprise
from fimble.engine.pace import Pace
from fimble.engine.vocab import Vocabulary

CONTINUATION: Final = 0x80
"""The two high bits of a byte that goes on a UTF-8 character, under the mask 0xC0."""


@dataclass(slots=True)
class _Reading:
    """One question under way: the slot holds ``prompt``; ``spent`` is seconds in the model."""

    slot: Slot
    prompt: Encoded
    spent: float = 0.0

    @property
    def model_ms(self) -> float:
        return self.spent * 1000


class Scorer:
    """Answers `Rank` and `Judge` on one context, step by step like the `Decoder` beside it."""

    def __init__(self, context: Context, cache: KVCache, decoder: Decoder, pace: Pace) -> None:
        self._tokenize = context.model.tokenize
        self._context = context
        self._cache = cache
        self._decoder = decoder
        self._vocabulary: Vocabulary = decoder.vocabulary
        self._pace = pace

    def rank(self, request: Rank) -> Generator[Ranked | None, None, None]:
        """The log-probability of each text; None after a step that has nothing to tell.

        Raises `PromptTooLong`. A token that texts begin with in common is read once, and the last
        token of a text never.
        """
        encoded = self._encode(request.prompt)
        trie = Trie([self._continuation(encoded, text) for text in request.texts])
        reading = self._begin(encoded, trie.depth + N_OUTPUTS_MAX, request.priority)
        try:
            yield from self._read_prompt(reading)
            self._score(trie, 0, self._row(-1))
            trie.keep(request.max_tokens)
            yield from self._read_below(reading, trie, 0)
            yield Ranked(request.id, trie.results(), reading.model_ms)
        finally:
            self._end(reading)

    def judge(self, request: Judge) -> Generator[Judged | None, None, None]:
        """What the model thinks of each token of a text; raises `PromptTooLong`."""
        encoded = self._encode(request.prompt)
        tokens = self._continuation(encoded, request.text)
        reading = self._begin(encoded, len(tokens), request.priority)
        judgement = _Judgement(self._vocabulary, encoded.pending, request.text)
        try:
            yield from self._read_prompt(reading)
            if tokens:
                judgement.add(tokens[0], self._row(-1))
            for start in range(0, len(tokens) - 1, N_OUTPUTS_MAX):
                chunk = tokens[start : start + N_OUTPUTS_MAX + 1]
                while not self._append(reading, chunk[:-1], outputs=len(chunk) - 1):
                    yield None
                for index, token in enumerate(chunk[1:]):
                    judgement.add(token, self._row(index + 1 - len(chunk)))
                yield None
            yield Judged(request.id, tuple(judgement.surprises), reading.model_ms)
        finally:
            self._end(reading)

    def _encode(self, prompt: Prompt) -> Encoded:
        """The prompt as tokens, healed unless that would cut a character in two."""
        encoded = self._decoder.encode(prompt)
        try:
            encoded.pending.decode()
        except UnicodeDecodeError:
            return self._decoder.encode(replace(prompt, heal=False))
        return encoded

    def _continuation(self, prompt: Encoded, text: str) -> list[int]:
        """The tokens of a text behind a prompt, those of its pending bytes among them."""
        return self._tokenize(prompt.pending.decode() + text)

    def _begin(self, prompt: Encoded, room: int, priority: Priority) -> _Reading:
        slot, _ = self._decoder.claim(prompt, room, priority)
        return _Reading(slot, prompt)

    def _end(self, reading: _Reading) -> None:
        self._cache.cut(reading.slot, len(reading.prompt.tokens))
        self._cache.release(reading.slot)

    def _read_prompt(self, reading: _Reading) -> Iterator[None]:
        """Bring the slot up to the whole prompt; ends with the logits of its last token."""
        tokens = reading.prompt.tokens
        while (done := len(reading.slot.tokens)) < len(tokens):
            chunk = tokens[done : done + N_UBATCH]
            last = done + len(chunk) == len(tokens)
            if not self._append(reading, chunk, outputs=int(last)) or not last:
                yield None
        reading.slot.stable = reading.prompt.stable

    def _read_below(self, reading: _Reading, trie: Trie, node: int) -> Iterator[None]:
        """Score all that hangs on ``node``, whose path the slot holds.

        Branches that fit into one batch are read together; a larger one is entered along its
        first stretch without a fork.
        """
        for branches in trie.batches(node):
            if trie.fits(branches):
                while not self._read_branches(reading, trie, branches):
                    yield None
                yield None
                continue
            length = len(reading.slot.tokens)
            stretch = trie.stretch(branches[0])
            tokens = [trie.tokens[each] for each in stretch]
            while not self._append(reading, tokens, outputs=len(stretch)):
                yield None
            for index, each in enumerate(stretch):
                self._score(trie, each, self._row(index - len(stretch)))
            yield None
            yield from self._read_below(reading, trie, stretch[-1])
            self._cache.cut(reading.slot, length)

    def _read_branches(self, reading: _Reading, trie: Trie, nodes: Sequence[int]) -> bool:
        """Read a forest in one batch and score it; False when aborted."""
        started = time.perf_counter()
        place = {node: index for index, node in enumerate(nodes)}
        tokens = [trie.tokens[node] for node in nodes]
        parents = [place.get(trie.parents[node], -1) for node in nodes]
        slot = reading.slot
        outcome = with_room(
            self._cache,
            lambda: self._context.decode_branches(
                tokens, parents, seq=slot.seq, position=len(slot.tokens)
            ),
        )
        self._note(reading, len(tokens), started, outcome)
        if outcome is Outcome.ABORTED:
            return False
        for index, node in enumerate(nodes):
            self._score(trie, node, self._row(index - len(nodes)))
        return True

    def _append(self, reading: _Reading, tokens: Sequence[int], *, outputs: int) -> bool:
        """Decode tokens at the end of the slot; False when aborted before they were in."""
        started = time.perf_counter()
        slot = reading.slot
        outcome = with_room(
            self._cache,
            lambda: self._context.decode(
                tokens, seq=slot.seq, position=len(slot.tokens), outputs=outputs
            ),
        )
        self._note(reading, len(tokens), started, outcome)
        if outcome is Outcome.ABORTED:
            return False
        slot.tokens.extend(tokens)
        return True

    def _note(self, reading: _Reading, tokens: int, started: float, outcome: Outcome) -> None:
        seconds = time.perf_counter() - started
        reading.spent += seconds
        if outcome is Outcome.DONE:
            self._pace.note(tokens, seconds)

    def _row(self, index: int) -> Logits:
        """One output's logits, counted from the end, over what may be written at all."""
        logits = self._context.logits(index)
        logits[self._vocabulary.banned] = -np.inf
        return logits

    def _score(self, trie: Trie, node: int, logits: Logits) -> None:
        norm = log_norm(logits)
        for token, child in trie.children[node].items():
            trie.scores[child] = trie.scores[node] + float(logits[token]) - norm


class Trie:
    """Token lists as a tree, so that what they begin with in common is read once.

    Node 0 is the prompt's end. Only inner nodes have to be read: what follows them is scored with
    their logits. ``scores`` are log-probabilities of the way to a node, as far as they are known.
    """

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self.tokens = [-1]
        self.parents = [-1]
        self.children: list[dict[int, int]] = [{}]
        self.scores: dict[int, float] = {0: 0.0}
        self.depth = max(map(len, texts), default=0)
        self._ends = [self._insert(text) for text in texts]
        self._kept: frozenset[int] | None = None

    def results(self) -> tuple[float, ...]:
        """Each text's log-probability, or of as much of its beginning as was read."""
        return tuple(self._known(end) for end in self._ends)

    def keep(self, count: int) -> None:
        """Read at most ``count`` nodes, those on likely ways first."""
        self._kept = frozenset(self._inner(0)[1 : count + 1])

    def batches(self, node: int) -> Iterator[list[int]]:
        """The branches on a node, as lists of inner nodes, joined while they fit together."""
        batch: list[int] = []
        for child in self._likeliest_first(node):
            branch = self._inner(child)
            if batch and not self.fits([*batch, *branch]):
                yield batch
                batch = []
            batch += branch
        if batch:
            yield batch

    def fits(self, nodes: Sequence[int]) -> bool:
        """Whether these inner nodes can be read in one batch."""
        if len(nodes) > N_OUTPUTS_MAX:
            return False
        forks = {self.parents[node] for node in nodes}
        return sum(node not in forks for node in nodes) <= BRANCHES

    def stretch(self, node: int) -> list[int]:
        """The way down from a node to the first fork, as long as one batch allows."""
        way = [node]
        while len(way) < N_OUTPUTS_MAX:
            below = [child for child in self._likeliest_first(way[-1]) if self._is_read(child)]
            if len(below) != 1:
                break
            way += below
        return way

    def _insert(self, text: Sequence[int]) -> int:
        node = 0
        for token in text:
            if token not in self.children[node]:
                self.children[node][token] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(node)
                self.children.append({})
            node = self.children[node][token]
        return node

    def _known(self, node: int) -> float:
        while node not in self.scores:
            node = self.parents[node]
        return self.scores[node]

    def _inner(self, node: int) -> list[int]:
        """The nodes to read from ``node`` down: parents first, likely ways first."""
        found: list[int] = []
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if self._is_read(each):
                found.append(each)
                waiting.extend(reversed(self._likeliest_first(each)))
        return found

    def _is_read(self, node: int) -> bool:
        return bool(self.children[node]) and (self._kept is None or node in self._kept or not node)

    def _likeliest_first(self, node: int) -> list[int]:
        return sorted(self.children[node].values(), key=lambda child: -self._known(child))


class _Judgement:
    """Turns tokens and the logits before them into `Surprise`s with offsets into the text."""

    def __init__(self, vocabulary: Vocabulary, pending: bytes, text: str) -> None:
        self.surprises: list[Surprise] = []
        self._vocabulary = vocabulary
        self._pending = pending
        data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
        self._character = np.cumsum((data & 0xC0) != CONTINUATION) - 1
        self._at = -len(pending)

    def add(self, token: int, logits: Logits) -> None:
        """Note the next token; one that lies in the pending bytes is none of the text's."""
        size = len(self._vocabulary.token_bytes[token])
        start, self._at = self._at, self._at + size
        if self._at <= 0:
            return
        norm = log_norm(logits)
        best, best_text = self._best(logits, self._pending[len(self._pending) + start :])
        self.surprises.append(
            Surprise(
                start=int(self._character[max(start, 0)]),
                end=int(self._character[self._at - 1]) + 1,
                logprob=float(logits[token]) - norm,
                best_text=best_text,
                best_logprob=float(logits[best]) - norm,
            )
        )

    def _best(self, logits: Logits, pending: bytes) -> tuple[int, str]:
        """The likeliest token that agrees with the pending bytes, and what it adds to them."""
        best = int(np.argmax(logits))
        if pending:
            allowed = self._vocabulary.starting_with(pending)
            best = int(allowed[np.argmax(logits[allowed])])
        if best in self._vocabulary.stops:
            return best, ""
        return best, self._vocabulary.token_bytes[best][len(pending) :].decode("utf-8", "replace")


def log_norm(logits: Logits) -> float:
    """What to take from a logit to get a log-probability."""
    peak = float(logits.max())
    return peak + float(np.log(np.exp(logits - peak).sum()))
