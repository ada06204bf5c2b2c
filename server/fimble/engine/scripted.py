"""A fake engine with the real interface: ships, so that tests and client authors share it.

The answer is picked by what the prompt's text ends with (everything after MID included), so a
script reads like a table: needle -> what the model would say.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from math import expm1, log
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from fimble.engine.base import RANK_TOKENS, EngineStatus, Trace
from fimble.engine.messages import (
    GREEDY,
    FimOrder,
    Markup,
    ModelInfo,
    Piece,
    Priority,
    Profile,
    Prompt,
    Sampling,
    State,
    Stats,
    Surprise,
)
from fimble.errors import EngineClosed, EngineDown, EngineLoading, FimbleError

SCRIPTED_INFO: Final = ModelInfo(
    path="scripted",
    description="scripted answers",
    architecture="scripted",
    n_vocab=256,
    n_ctx_train=32768,
    size_bytes=0,
    n_params=0,
    sentinels={"prefix": 1, "suffix": 2, "middle": 3, "pad": 4, "repo": 5, "file": 6},
    order=FimOrder.PREFIX_FIRST,
)
SCRIPTED_PROFILE: Final = Profile(
    n_gpu_layers=0,
    n_threads=1,
    n_threads_batch=1,
    n_ctx=8192,
    flash_attention=True,
    prefill_rate=1000.0,
    decode_rate=100.0,
)

PIECES: Final = re.compile(r"\n|[ \t]*\w+|[ \t]*[^\w\s]|[ \t]+")
"""What the fake takes for a token."""
UNRANKED: Final = -10.0
"""The log-probability of what the script does not mention."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the fake says.

    ``answers`` maps a needle, looked for at the end of the prompt's last text piece, to the
    text that follows; the longest needle wins, then ``default``. ``others`` maps an answer to
    those of further branches or draws. ``delay_ms`` passes before each piece. ``state`` is where
    the engine stands once started. ``chat_template`` makes it a model that follows instructions.

    ``ranks`` are the log-probabilities of ranked texts, `UNRANKED` for all others; ``doubts`` maps
    a word of a judged text to what the model would have written instead.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    delay_ms: float = 0.0
    state: State = State.READY
    logprob: float = -0.01
    ranks: Mapping[str, float] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)
    chat_template: str = ""

    @classmethod
    def load(cls, path: Path) -> Script:
        """Read a script from a JSON file; raises `FimbleError` with the reason."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError) as error:
            raise FimbleError(f"The script {path} cannot be used: {error}.") from error

    def answer(self, tail: str) -> str:
        """What follows a prompt that ends with ``tail``."""
        needles = [needle for needle in self.answers if tail.endswith(needle)]
        return self.answers[max(needles, key=len)] if needles else self.default


class ScriptedEngine:
    """Answers from a `Script`; records every prompt, every prefill and all that was ranked."""

    def __init__(self, script: Script | Callable[[str], str]) -> None:
        self.script = script if isinstance(script, Script) else Script()
        self._answer = self.script.answer if isinstance(script, Script) else script
        self.prompts: list[Prompt] = []
        self.prefills: list[Prompt] = []
        self.ranked: list[tuple[Prompt, tuple[str, ...]]] = []
        self._status = EngineStatus(State.STOPPED)
        self._listeners: list[Callable[[EngineStatus], None]] = []

    @property
    def status(self) -> EngineStatus:
        return self._status

    def on_status(self, listener: Callable[[EngineStatus], None]) -> None:
        self._listeners.append(listener)

    def set_state(self, state: State, error: FimbleError | None = None) -> None:
        """Move to another state as the real engine would: a test's hand on the wheel."""
        ready = state is State.READY
        self._status = replace(
            self._status,
            state=state,
            progress=1.0 if ready else 0.0,
            info=self._info() if ready else None,
            profile=SCRIPTED_PROFILE if ready else None,
            error=error,
        )
        for listener in self._listeners:
            listener(self._status)

    def _info(self) -> ModelInfo:
        return replace(SCRIPTED_INFO, chat_template=self.script.chat_template)

    def start(self) -> None:
        self.set_state(self.script.state)

    def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        priority: Priority = Priority.KEY_PRESS,
        one_line: bool = False,
        sampling: Sampling = GREEDY,
        guess: str = "",
    ) -> ScriptedGeneration:
        del priority, guess
        self._check_ready()
        self.prompts.append(prompt)
        answer = self._answer(_tail(prompt))
        draw = sampling.branch or (sampling.seed if sampling.temperature else 0)
        if draw:
            others = self.script.others.get(answer, ())
            answer = others[draw - 1] if draw <= len(others) else answer
        if one_line and "\n" in answer:
            answer = f"{answer.partition(chr(10))[0]}\n"
        return ScriptedGeneration(self, prompt, answer, max_tokens)

    async def prefill(self, prompt: Prompt, *, priority: Priority = Priority.OPENED) -> None:
        del priority
        self._check_ready()
        self.prefills.append(prompt)

    async def rank(
        self,
        prompt: Prompt,
        texts: Sequence[str],
        *,
        max_tokens: int = RANK_TOKENS,
        priority: Priority = Priority.ITEMS,
    ) -> tuple[float, ...]:
        del priority, max_tokens
        self._check_ready()
        self.ranked.append((prompt, tuple(texts)))
        await asyncio.sleep(self.script.delay_ms / 1000)
        self._check_ready()
        return tuple(self.script.ranks.get(text, UNRANKED) for text in texts)

    async def surprise(
        self, prompt: Prompt, text: str, *, priority: Priority = Priority.ACTION
    ) -> tuple[Surprise, ...]:
        del priority
        self._check_ready()
        self.prompts.append(prompt)
        await asyncio.sleep(self.script.delay_ms / 1000)
        self._check_ready()
        return tuple(self._opinion(word) for word in PIECES.finditer(text))

    def _opinion(self, word: re.Match[str]) -> Surprise:
        """One word, doubted or not; what stands before the word goes with it."""
        found = word[0]
        bare = found.lstrip(" \t")
        logprob = self.script.logprob
        if (better := self.script.doubts.get(bare)) is None:
            return Surprise(word.start(), word.end(), logprob, found, logprob)
        best = found.removesuffix(bare) + better
        return Surprise(word.start(), word.end(), UNRANKED, best, logprob)

    async def unread(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        """Count characters after the longest beginning that was read once."""
        self._check_ready()
        read = (*self.prompts, *self.prefills)
        return tuple(
            size(one) - max((_common(one, other) for other in read), default=0) for one in prompts
        )

    async def flush(self) -> None:
        return

    async def stats(self) -> Stats:
        return Stats(id=0, rss_bytes=0, kv_cells_used=0, kv_cells_total=8192, sequences=1)

    async def close(self) -> None:
        self.set_state(State.STOPPED)

    def _check_ready(self) -> None:
        match self._status.state:
            case State.READY:
                return
            case State.LOADING:
                raise EngineLoading("The model is still loading.")
            case State.STOPPED:
                raise EngineClosed("The engine is not running.")
            case _:
                raise self._status.error or EngineDown("The scripted engine is down.")


class ScriptedGeneration:
    """Yields the answer in word-sized pieces, checking the engine's state before each."""

    def __init__(self, engine: ScriptedEngine, prompt: Prompt, answer: str, limit: int) -> None:
        self._engine = engine
        self._pieces = PIECES.findall(answer)
        self._limit = limit
        self._trace = Trace(prompt_tokens=size(prompt), evaluated=size(prompt))
        self.reason = ""

    @property
    def trace(self) -> Trace:
        return self._trace

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.reason = self.reason or "cancelled"

    async def __aiter__(self) -> AsyncIterator[Piece]:
        script = self._engine.script
        for text in self._pieces[: self._limit]:
            await asyncio.sleep(script.delay_ms / 1000)
            self._engine._check_ready()  # noqa: SLF001  (one class in two parts)
            self._trace = replace(self._trace, generated=self._trace.generated + 1)
            # The runner-up gets all the rest.
            margin = script.logprob - log(-expm1(script.logprob))
            yield Piece(id=0, text=text, logprob=script.logprob, margin=margin, model_ms=0.0)
        self.reason = "stop" if len(self._pieces) <= self._limit else "length"


def size(prompt: Prompt) -> int:
    """Return the characters of a prompt, which the fake takes for its tokens."""
    return sum(len(part) for part in prompt.parts if isinstance(part, str))


def _common(left: Prompt, right: Prompt) -> int:
    """Return how many characters two prompts begin with alike."""
    characters = zip(_spelled(left), _spelled(right), strict=False)
    alike = takewhile(lambda pair: pair[0] == pair[1], characters)
    return sum(isinstance(one, str) for one, _ in alike)


def _spelled(prompt: Prompt) -> Iterator[str | int | Markup]:
    """The prompt's characters and special tokens, one by one."""
    for part in prompt.parts:
        yield from part if isinstance(part, str) else (part,)


def _tail(prompt: Prompt) -> str:
    last = prompt.parts[-1] if prompt.parts else ""
    return last if isinstance(last, str) else ""
