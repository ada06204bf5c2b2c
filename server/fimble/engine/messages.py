"""What crosses the pipe between the server and the worker: small frozen dataclasses.

A frame is a four-byte little-endian length and a MessagePack pair ``(class name, fields)``.
Abort is a message too (`Cancel`), never a flag that somebody else flips.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final, Literal, get_args

import msgspec

HEADER_BYTES: Final = 4
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024


class Priority(IntEnum):
    """Who goes first; a lower number preempts a higher one within one decode step."""

    KEY_PRESS = 0
    VISIBLE = 1
    ITEMS = 2
    ACTION = 3
    ANCHOR = 4
    AFTER_ACCEPT = 5
    OPENED = 6
    REFRESH = 7
    PERSIST = 8


class State(StrEnum):
    """Where the engine stands, as `fimble/status` reports it."""

    STOPPED = "stopped"
    LOADING = "loading"
    READY = "ready"
    DOWN = "down"
    FAILED = "failed"


class FimOrder(StrEnum):
    """Which half of the file the model was trained to see first."""

    PREFIX_FIRST = "psm"
    SUFFIX_FIRST = "spm"


@dataclass(frozen=True, slots=True)
class Profile:
    """How to run one model on one machine; measured once by the calibration, then kept.

    ``prefill_rate`` and ``decode_rate`` are tokens per second. ``batch_costs[n - 1]`` is the time
    of a step of n tokens, that of one being 1: it tells how much drafting pays.
    """

    n_gpu_layers: int
    n_threads: int
    n_threads_batch: int
    n_ctx: int
    flash_attention: bool
    prefill_rate: float = 0.0
    decode_rate: float = 0.0
    batch_costs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens per second."""

    prefill: float
    decode: float

    @property
    def key_press_s(self) -> float:
        """Seconds that a typical answer takes: two tokens read, twelve written."""
        return 2 / self.prefill + 12 / self.decode


@dataclass(frozen=True, slots=True)
class Overrides:
    """Profile values that the user fixed in the settings; None means measure."""

    n_gpu_layers: int | None = None
    n_threads: int | None = None
    n_ctx: int | None = None
    flash_attention: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the loaded GGUF says of itself.

    ``sentinels`` maps names (``prefix suffix middle pad repo file``) to token ids, found in the
    vocabulary; prefix and suffix are always there, middle in all but Codestral, which is trained
    suffix first and simply goes on after the prefix.
    """

    path: str
    description: str
    architecture: str
    n_vocab: int
    n_ctx_train: int
    size_bytes: int
    n_params: int
    sentinels: dict[str, int]
    order: FimOrder
    chat_template: str | None = None


@dataclass(frozen=True, slots=True)
class Markup:
    """Text of the model's own chat template, in which special tokens are special tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Text pieces and special token ids in order.

    A ``str`` is user text: it is tokenized without special tokens, and each piece by itself, so
    that equal pieces give equal tokens. An ``int`` is a token id; `Markup` never holds user text.
    With ``heal`` the last piece may end inside a word: the engine steps back one token and makes
    the generated text begin with the bytes it took away; those bytes are not part of the answer.
    """

    parts: tuple[int | str | Markup, ...]
    heal: bool = True


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: always the likeliest, unless told otherwise.

    With ``branch`` k the first token is the k-th likeliest (from 0) of those that healing allows,
    which gives different answers to one prompt. A ``temperature`` above 0 draws each token at
    random; equal ``seed``s draw alike.
    """

    branch: int = 0
    temperature: float = 0.0
    seed: int = 0


GREEDY: Final = Sampling()


# --- server to worker ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keep:
    """Where KV state may rest outside the context, and how much; without a directory not on disk.

    ``layout`` is the version of the prompt layout: state of another one would never match again.
    """

    directory: str | None = None
    ram_bytes: int = 256 * 1024 * 1024
    disk_bytes: int = 0
    layout: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """Open this model; the first message, and sent once."""

    path: str
    overrides: Overrides = field(default_factory=Overrides)
    profile: Profile | None = None
    keep: Keep = field(default_factory=Keep)


@dataclass(frozen=True, slots=True)
class Generate:
    """Complete the prompt. ``max_tokens == 0`` only reads it into the KV cache.

    With ``one_line`` the worker ends with the first line break by itself: asked to stop, it would
    be at work on one more token, on cores that the answer's last checks need. ``guess`` is text
    that the answer may well go on with; it changes how fast the answer comes, never the answer.
    """

    id: int
    prompt: Prompt
    max_tokens: int
    priority: Priority = Priority.KEY_PRESS
    one_line: bool = False
    sampling: Sampling = GREEDY
    guess: str = ""


@dataclass(frozen=True, slots=True)
class Rank:
    """Say how likely each text is behind the prompt; answered with `Ranked`.

    At most ``max_tokens`` tokens of the texts are read, on the likeliest ways first.
    """

    id: int
    prompt: Prompt
    texts: tuple[str, ...]
    max_tokens: int
    priority: Priority = Priority.ITEMS


@dataclass(frozen=True, slots=True)
class Judge:
    """Say how likely each token of the text is behind the prompt; answered with `Judged`."""

    id: int
    prompt: Prompt
    text: str
    priority: Priority = Priority.ACTION


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop working on this request; it is still answered with `Finished`."""

    id: int


@dataclass(frozen=True, slots=True)
class Count:
    """Say how much of each prompt is not known yet; answered with `Counted`, before other work."""

    id: int
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class Flush:
    """Answer with `Finished` when nothing else waits: a test aid."""

    id: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop all work, keep what KV state can be written in ``seconds``, and leave."""

    seconds: float


@dataclass(frozen=True, slots=True)
class QueryStats:
    """Ask for `Stats`."""

    id: int


# --- worker to server ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loading:
    """Load progress, 0.0 to 1.0, and what is going on in two words."""

    fraction: float
    stage: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The model answers now; ``measured`` is worth keeping for the next start."""

    info: ModelInfo
    profile: Profile
    measured: Profile | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The prompt is in the KV cache; text follows.

    Of the ``reused`` tokens ``restored`` came out of RAM or from disk.
    """

    id: int
    prompt_tokens: int
    reused: int
    restored: int
    evaluated: int
    queue_ms: float
    prefill_ms: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Generated text, always whole characters; may be empty while bytes are pending.

    ``logprob`` is the natural logarithm of the token's probability and ``margin`` its distance
    to the runner-up; ``model_ms`` is the time in the model since the request left the queue. Of
    the ``drafted`` tokens so far ``accepted`` were right.
    """

    id: int
    text: str
    logprob: float
    margin: float
    model_ms: float
    drafted: int = 0
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a generation, and the answer to all that is cancelled or flushed."""

    id: int
    reason: Literal["stop", "length", "cancelled", "flushed"]
    model_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Counted:
    """How many tokens of each prompt of a `Count` would have to be read."""

    id: int
    unread: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One natural log-probability for each text of a `Rank`, in its order.

    With a healed prompt it is that of the text together with the bytes that healing took back. A
    text that was not read to its end has that of its beginning, which is never too low.
    """

    id: int
    logprobs: tuple[float, ...]
    model_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Surprise:
    """What the model thinks of one token of a text it reads.

    ``start`` and ``end`` are code point offsets into the text; ``best_text`` is what the model
    would have written instead ("" where it would have ended). Natural log-probabilities.
    """

    start: int
    end: int
    logprob: float
    best_text: str
    best_logprob: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The tokens of a `Judge`'s text in order."""

    id: int
    surprises: tuple[Surprise, ...]
    model_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """The request (or, with id None, the load) cannot be done; ``kind`` names the error class."""

    id: int | None
    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Stats:
    """Memory and KV figures for `fimble/status`."""

    id: int
    rss_bytes: int
    kv_cells_used: int
    kv_cells_total: int
    sequences: int
    parked_bytes: int = 0
    disk_bytes: int = 0


ToWorker = Load | Generate | Rank | Judge | Count | Cancel | Flush | Shutdown | QueryStats
ToServer = Loading | Ready | Started | Piece | Finished | Ranked | Judged | Counted | Failed | Stats
Message = ToWorker | ToServer

_BY_NAME: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """Return the whole frame, header included."""
    body = msgspec.msgpack.encode((type(message).__name__, message))
    return len(body).to_bytes(HEADER_BYTES, "little") + body


def decode(body: bytes) -> Message:
    """Read one frame's body; raises `msgspec.ValidationError` on anything unexpected."""
    name, fields = msgspec.msgpack.decode(body, type=tuple[str, msgspec.Raw])
    if name not in _BY_NAME:
        raise msgspec.ValidationError(f"unknown message {name!r}")
    message: Message = msgspec.msgpack.decode(fields, type=_BY_NAME[name])
    return message
