"""Reading prompts and writing tokens: the inner loop, as a generator that yields at every step.

A generator suits a single inference thread: between two steps the scheduler may run somebody
more urgent, and a step that was aborted in the middle is simply asked again.
"""

from __future__ import annotations

import codecs
import math
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from fimble.engine.draft import RECENT, Acceptance, Drafter
from fimble.engine.kv import FORK_TOKENS, SPARED_TOKENS, KVCache, Slot
from fimble.engine.llama.context import N_UBATCH, Context, Outcome
from fimble.engine.llama.model import Model
from fimble.engine.messages import (
    GREEDY,
    Finished,
    Generate,
    Markup,
    ModelInfo,
    Piece,
    Priority,
    Profile,
    Prompt,
    Started,
    ToServer,
)
from fimble.engine.pace import Pace
from fimble.engine.segments import SEGMENT_TOKENS
from fimble.engine.vocab import Vocabulary
from fimble.errors import EngineDown, PromptTooLong

TOKENIZED_PIECES: Final = 256
"""Prompt pieces whose tokens are remembered: stable pieces come again with each key press."""
HEALED_BYTES: Final = 8
"""A typed word of up to this length is healed as a whole: "whi" is two tokens, "while" is one.
Longer words have token ends inside anyway, and each token taken back is written again. On 100
rows of HumanEval-Infilling with the cursor 2 to 5 characters into the line, the line is right in
74 rather than 59 (15 won, none lost; 0.5B)."""
SAMPLED_TOKENS: Final = 40
"""A random choice is among so many of the likeliest; llama.cpp's and most peers' default."""
Logits = npt.NDArray[np.float32]
WORD_BYTE: Final = re.compile(rb"[\w\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as tokens. ``pending`` are the bytes that healing took off its end.

    The first ``stable`` tokens are worth parking: all but a last piece that is shorter than a
    segment, because that is what was typed since the anchor.
    """

    tokens: list[int]
    pending: bytes
    stable: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """A token that the model chose; ``fresh`` are its bytes after those that were pending."""

    token: int
    fresh: bytes
    logprob: float
    margin: float


@dataclass(slots=True)
class _Run:
    """One request under way."""

    request: Generate
    slot: Slot
    pending: bytes
    spent: float = 0.0
    drafted: int = 0
    accepted: int = 0
    branched: bool = False
    random: np.random.Generator = field(init=False)
    utf8: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.request.sampling.seed)

    @property
    def model_ms(self) -> float:
        return self.spent * 1000

    def piece(self, text: str, logprob: float, margin: float) -> Piece:
        """What is sent for one token."""
        return Piece(
            self.request.id, text, logprob, margin, self.model_ms, self.drafted, self.accepted
        )


class Decoder:
    """Generation on one context. Deterministic: same cells and prompt, same tokens."""

    def __init__(
        self, context: Context, cache: KVCache, info: ModelInfo, profile: Profile, pace: Pace
    ) -> None:
        model = context.model
        self._context = context
        self._cache = cache
        self._pace = pace
        self._acceptance = Acceptance(profile.batch_costs)
        self._recent: deque[list[int]] = deque(maxlen=RECENT)
        self._bos = model.bos()
        self.vocabulary = build_vocabulary(model, info)
        self._tokenize = lru_cache(TOKENIZED_PIECES)(lambda text: tuple(model.tokenize(text)))
        self._tokenize_markup = model.tokenize_markup
        self._scratch = np.empty(model.n_vocab, np.float32)

    def encode(self, prompt: Prompt) -> Encoded:
        """Tokenize piece by piece; with healing the last text token becomes pending bytes."""
        tokens: list[int] = [] if self._bos is None else [self._bos]
        before_last = 0
        for part in prompt.parts:
            before_last = len(tokens)
            match part:
                case int():
                    tokens.append(part)
                case Markup(text=text):
                    tokens.extend(self._tokenize_markup(text))
                case _:
                    tokens.extend(self._tokenize(part))
        ends_in_text = bool(prompt.parts) and isinstance(prompt.parts[-1], str)
        typed = ends_in_text and len(tokens) - before_last < SEGMENT_TOKENS
        stable = before_last if typed else len(tokens)
        pending = b""
        if prompt.heal and ends_in_text:
            pending = self._take_back(tokens, max(before_last, 1))
        return Encoded(tokens, pending, min(stable, len(tokens)))

    def _take_back(self, tokens: list[int], keep: int) -> bytes:
        """Take the last token off, and those before it that belong to the same short word.

        Their bytes. At least ``keep`` tokens stay. A line break is not taken back: only more of
        them could be one token with it, and a model that would not have left a line blank there
        is led astray by having to.
        """
        token_bytes = self.vocabulary.token_bytes
        pending = b""
        if len(tokens) > keep and token_bytes[tokens[-1]].endswith(b"\n"):
            return pending
        while len(tokens) > keep:
            data = token_bytes[tokens[-1]]
            if pending and not (
                WORD_BYTE.match(pending)
                and WORD_BYTE.match(data[-1:])
                and len(data) + len(pending) <= HEALED_BYTES
            ):
                break
            tokens.pop()
            pending = data + pending
        return pending

    def run(self, request: Generate, queue_ms: float) -> Iterator[ToServer | None]:
        """Do a request step by step; None after a step that has nothing to tell.

        Raises `PromptTooLong`. Closing the generator leaves the KV cells ready for reuse.
        """
        started = time.perf_counter()
        encoded = self.encode(request.prompt)
        slot, restored = self.claim(encoded, request.max_tokens, request.priority)
        run = _Run(request, slot, encoded.pending, time.perf_counter() - started)
        reused = len(slot.tokens)
        try:
            yield from self._read(run, encoded.tokens)
            slot.stable = encoded.stable
            # Chosen before anybody else may decode: the logits are the last reader's.
            first = self._choose(run, -1) if request.max_tokens else None
            yield Started(
                id=request.id,
                prompt_tokens=len(encoded.tokens),
                reused=reused,
                restored=restored,
                evaluated=len(encoded.tokens) - reused,
                queue_ms=queue_ms,
                prefill_ms=run.model_ms,
            )
            if first:
                yield from self._write(run, first)
            else:
                yield Finished(request.id, "stop", run.model_ms)
        finally:
            self._cache.release(slot)

    def unread(self, prompt: Prompt) -> int:
        """Return how many tokens of a prompt would have to be read."""
        return self._cache.unread(self.encode(prompt).tokens)

    def claim(self, encoded: Encoded, room: int, priority: Priority) -> tuple[Slot, int]:
        """Pin a slot for a prompt and ``room`` more tokens; see `KVCache.claim`.

        Raises `PromptTooLong`, or `EngineDown` when every slot is pinned.
        """
        wanted = len(encoded.tokens) + room
        if wanted > self._context.n_ctx:
            raise PromptTooLong(
                f"Prompt and text have {wanted} tokens; the context holds {self._context.n_ctx}.",
                "Raise the setting engine.contextSize.",
            )
        fork_over = SPARED_TOKENS if priority >= Priority.ANCHOR else FORK_TOKENS
        claimed = self._cache.claim(encoded.tokens, fork_over=fork_over)
        if claimed is None:
            raise EngineDown("Every KV slot is busy.")
        return claimed

    def _read(self, run: _Run, tokens: Sequence[int]) -> Iterator[None]:
        """Bring the slot up to the whole prompt, a micro-batch at a time."""
        while (done := len(run.slot.tokens)) < len(tokens):
            chunk = tokens[done : done + N_UBATCH]
            last = done + len(chunk) == len(tokens)
            if (
                not self._append(run, chunk, outputs=int(last and run.request.max_tokens > 0))
                or not last
            ):
                yield None

    def _write(self, run: _Run, first: _Choice) -> Iterator[ToServer | None]:
        """Generate until the model stops or the limit is reached."""
        limit = run.request.max_tokens
        ended, count = False, 0
        for choice in self._choices(run, first):
            if choice is None:
                yield None
                continue
            if ended := choice.token in self.vocabulary.stops:
                break
            text = run.utf8.decode(choice.fresh)
            yield run.piece(text, choice.logprob, choice.margin)
            count += 1
            ended = run.request.one_line and "\n" in text
            if ended or count == limit:
                break
        rest = run.utf8.decode(b"", final=True)  # of a character that never became whole
        if rest:
            yield run.piece(rest, 0.0, 0.0)
        yield Finished(run.request.id, "stop" if ended else "length", run.model_ms)

    def _choices(self, run: _Run, first: _Choice) -> Iterator[_Choice | None]:
        """Choose token after token; None after a step that was aborted.

        A chosen token is decoded when the next one is asked for, together with those that are
        drafted to follow it. All logits are used up before each yield: other work may decode in
        between.
        """
        drafter = Drafter(self._acceptance, run.slot.tokens, self._guess(run), self._recent)
        self._recent.appendleft(drafter.made)
        choices = [first]
        while True:
            for choice in choices:
                drafter.add(choice.token)
                yield choice
            last = choices[-1].token
            draft = drafter.propose() if run.request.sampling == GREEDY else []
            while not self._append(run, (last, *draft), outputs=1 + len(draft)):
                yield None
            choices = self._verified(run, draft)

    def _verified(self, run: _Run, draft: Sequence[int]) -> list[_Choice]:
        """The model's choices after a token and its draft, up to the first that was not drafted."""
        started = time.perf_counter()
        choices: list[_Choice] = []
        for index in range(len(draft) + 1):
            choices.append(self._choose(run, index - len(draft) - 1))
            if index == len(draft) or choices[-1].token != draft[index]:
                break
        wrong = len(draft) + 1 - len(choices)
        if wrong:
            self._cache.cut(run.slot, len(run.slot.tokens) - wrong)
        run.drafted += len(draft)
        run.accepted += len(draft) - wrong
        run.spent += time.perf_counter() - started
        return choices

    def _guess(self, run: _Run) -> tuple[int, ...]:
        """The caller's guess as the tokens that the model would write it with."""
        try:
            taken_back = run.pending.decode()
        except UnicodeDecodeError:
            return ()
        return self._tokenize(taken_back + run.request.guess) if run.request.guess else ()

    def _append(self, run: _Run, tokens: Sequence[int], *, outputs: int) -> bool:
        """Decode tokens at the end of the slot; False when aborted before they were in."""
        started = time.perf_counter()
        slot = run.slot
        outcome = with_room(
            self._cache,
            lambda: self._context.decode(
                tokens, seq=slot.seq, position=len(slot.tokens), outputs=outputs
            ),
        )
        seconds = time.perf_counter() - started
        run.spent += seconds
        if outcome is Outcome.ABORTED:
            return False
        self._pace.note(len(tokens), seconds)
        slot.tokens.extend(tokens)
        return True

    def _choose(self, run: _Run, row: int) -> _Choice:
        """Choose from one row of logits, in agreement with the pending bytes.

        Log-probability and margin are over the whole vocabulary; the margin is to the best other
        token.
        """
        logits = self._context.logits(row)
        logits[self.vocabulary.banned] = -np.inf
        allowed = self.vocabulary.starting_with(run.pending) if run.pending else None
        token = self._pick(run, logits if allowed is None else logits[allowed])
        if allowed is not None:
            token = int(allowed[token])
        chosen = float(logits[token])
        logits[token] = -np.inf
        rival = float(logits.max())
        peak = max(chosen, rival)
        # In one buffer that stays: the pages of a new one cost more than the arithmetic.
        np.subtract(logits, peak, out=self._scratch)
        np.exp(self._scratch, out=self._scratch)
        logprob = chosen - peak - math.log(float(self._scratch.sum()) + math.exp(chosen - peak))
        data = self.vocabulary.token_bytes[token]
        known = min(len(run.pending), len(data))
        run.pending = run.pending[known:]
        return _Choice(token, data[known:], logprob, chosen - rival)

    def _pick(self, run: _Run, logits: Logits) -> int:
        """The index of the likeliest, or what the request's `Sampling` makes of it."""
        sampling = run.request.sampling
        if sampling.temperature > 0:
            # Sorting all of them would take a third of the time of a step.
            best = np.argpartition(logits, -min(SAMPLED_TOKENS, len(logits)))[-SAMPLED_TOKENS:]
            noise = run.random.gumbel(size=len(best))
            return int(best[np.argmax(logits[best] / sampling.temperature + noise)])
        if sampling.branch and not run.branched:
            run.branched = True
            return int(np.argsort(logits)[-1 - min(sampling.branch, len(logits) - 1)])
        return int(np.argmax(logits))


def with_room(cache: KVCache, attempt: Callable[[], Outcome]) -> Outcome:
    """Decode, parking older slots for as long as the context is full.

    Raises `PromptTooLong` when nothing is left to park.
    """
    while (outcome := attempt()) is Outcome.FULL:
        if not cache.make_room():
            raise PromptTooLong("The KV cache is full.", "Raise engine.contextSize.")
    return outcome


def build_vocabulary(model: Model, info: ModelInfo) -> Vocabulary:
    """Read the vocabulary once, at load.

    FIM sentinels are stops as well: llama.cpp's own end-of-generation set lacks them, and a model
    that writes one has left the hole.
    """
    token_bytes = model.token_bytes()
    stops = {token for token in range(model.n_vocab) if model.is_eog(token)}
    stops.update(info.sentinels.values())
    silent = [token for token, data in enumerate(token_bytes) if not data and token not in stops]
    return Vocabulary(token_bytes, stops=frozenset(stops), silent=silent)
