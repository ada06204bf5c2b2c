"""A loaded model file: weights, vocabulary, and what it says of itself."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from llama_cpp import llama_cpp as c

from fimble.engine.messages import ModelInfo
from fimble.engine.vocab import find_sentinels
from fimble.errors import EngineDown, ModelMissing, UnsupportedModel

ALL_LAYERS: Final = 999
LOG_ERROR: Final = 4
_LOG_LINES: Final = 200


def _override(key: bytes, *, value: bool) -> Any:
    """Have llama.cpp read ``value`` for a key of the header; the empty second one ends the list."""
    overrides = (c.llama_model_kv_override * 2)()
    overrides[0].key = key
    overrides[0].tag = c.LLAMA_KV_OVERRIDE_TYPE_BOOL
    overrides[0].value.val_bool = value
    return overrides


_PLAIN_TEXT: Final = _override(b"tokenizer.ggml.add_space_prefix", value=False)
"""SentencePiece puts a space before each text, and a prompt's pieces are texts of their own: what
stands behind the anchor would be indented by one column too many."""


class Backend:
    """llama.cpp itself; make one per process, before anything else.

    Keeps the last log lines, because llama.cpp tells why a load failed only there.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

        @c.llama_log_callback  # type: ignore[untyped-decorator]
        def keep(level: int, text: bytes, _data: object) -> None:
            if level == LOG_ERROR:
                self._lines.append(text.decode("utf-8", "replace").rstrip())
                del self._lines[:-_LOG_LINES]

        self._callback = keep  # ctypes does not keep it alive
        c.llama_log_set(keep, ctypes.c_void_p(0))
        c.llama_backend_init()

    def errors(self) -> str:
        """The error lines since the last call."""
        text = "\n".join(self._lines)
        self._lines.clear()
        return text


def supports_gpu() -> bool:
    """Whether this build of llama.cpp can put layers on a GPU (Metal, CUDA, Vulkan...)."""
    return bool(c.llama_supports_gpu_offload())


class Model:
    """A loaded GGUF: weights and vocabulary.

    Raises `UnsupportedModel` when the file is no GGUF, is cut short, or has an architecture that
    this llama.cpp does not know.
    """

    def __init__(
        self,
        backend: Backend,
        path: Path,
        *,
        n_gpu_layers: int = 0,
        vocab_only: bool = False,
        on_progress: Callable[[float], None] = lambda _fraction: None,
    ) -> None:
        if not path.is_file():
            raise ModelMissing(
                f"The model file {path} does not exist.", "Run `fimble models pull`."
            )

        @c.llama_progress_callback  # type: ignore[untyped-decorator]
        def progress(fraction: float, _data: object) -> bool:
            on_progress(fraction)
            return True

        params = c.llama_model_default_params()
        params.n_gpu_layers = n_gpu_layers
        params.vocab_only = vocab_only
        params.progress_callback = progress
        params.kv_overrides = _PLAIN_TEXT
        backend.errors()
        self.handle = c.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise _load_error(path, backend.errors())
        self._backend = backend  # llama.cpp logs through it as long as anything lives
        self.path = path
        self.vocab = c.llama_model_get_vocab(self.handle)
        self.n_vocab = int(c.llama_vocab_n_tokens(self.vocab))
        self.n_ctx_train = int(c.llama_model_n_ctx_train(self.handle))
        self._spellings = self._user_defined()

    def close(self) -> None:
        """Free the weights; contexts must be closed before."""
        if self.handle:
            c.llama_model_free(self.handle)
            self.handle = None

    def info(self) -> ModelInfo:
        """What the file says of itself.

        Raises `UnsupportedModel` for one without FIM tokens, or whose state cannot be cut back.
        """
        if c.llama_model_is_recurrent(self.handle) or c.llama_model_is_hybrid(self.handle):
            raise UnsupportedModel(
                f"{self.path.name} is a recurrent model: what it has read cannot be taken back in"
                " part, so each key would have it read all of the file again.",
                "Choose a transformer trained for FIM, such as qwen2.5-coder-0.5b.",
            )
        architecture = self.metadata("general.architecture") or "unknown"
        found = find_sentinels(self.named_sentinels(), self.special, architecture)
        if found is None:
            raise UnsupportedModel(
                f"{self.path.name} has no fill-in-the-middle tokens, so it cannot complete code.",
                "Choose a code model trained for FIM, such as qwen2.5-coder-0.5b.",
            )
        sentinels, order = found
        template = c.llama_model_chat_template(self.handle, None)
        return ModelInfo(
            path=str(self.path),
            description=self.metadata("general.name") or self.path.stem,
            architecture=architecture,
            n_vocab=self.n_vocab,
            n_ctx_train=self.n_ctx_train,
            size_bytes=int(c.llama_model_size(self.handle)),
            n_params=int(c.llama_model_n_params(self.handle)),
            sentinels=sentinels,
            order=order,
            chat_template=template.decode() if template else None,
        )

    def metadata(self, key: str) -> str | None:
        """One value of the GGUF header as text, or None."""
        buffer = ctypes.create_string_buffer(512)
        length = c.llama_model_meta_val_str(self.handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length >= 0 else None

    def kv_bytes_per_token(self) -> int:
        """Bytes that one token takes in an F16 KV cache."""
        heads = max(1, c.llama_model_n_head(self.handle))
        width = c.llama_model_n_embd(self.handle) // heads * c.llama_model_n_head_kv(self.handle)
        return int(2 * 2 * width * c.llama_model_n_layer(self.handle))

    def named_sentinels(self) -> dict[str, int]:
        """The FIM token ids that llama.cpp itself found; -1 where it found none."""
        return {
            "prefix": c.llama_vocab_fim_pre(self.vocab),
            "suffix": c.llama_vocab_fim_suf(self.vocab),
            "middle": c.llama_vocab_fim_mid(self.vocab),
            "pad": c.llama_vocab_fim_pad(self.vocab),
            "repo": c.llama_vocab_fim_rep(self.vocab),
            "file": c.llama_vocab_fim_sep(self.vocab),
        }

    def special(self, text: str) -> int | None:
        """The id of the special token spelled ``text``, or None when it is not one token."""
        tokens = self._tokenize(text.encode(), parse_special=True)
        if len(tokens) != 1 or not self.is_special(tokens[0]):
            return None
        return tokens[0]

    def is_special(self, token: int) -> bool:
        """Whether the token is a control or user-defined one rather than ordinary text."""
        attributes = c.llama_vocab_get_attr(self.vocab, token)
        return bool(
            attributes
            & (
                c.LLAMA_TOKEN_ATTR_CONTROL
                | c.LLAMA_TOKEN_ATTR_USER_DEFINED
                | c.LLAMA_TOKEN_ATTR_UNKNOWN
                | c.LLAMA_TOKEN_ATTR_UNUSED
            )
        )

    def is_eog(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return bool(c.llama_vocab_is_eog(self.vocab, token))

    def bos(self) -> int | None:
        """The token that must begin every prompt, or None where the model wants none."""
        return int(c.llama_vocab_bos(self.vocab)) if c.llama_vocab_get_add_bos(self.vocab) else None

    def tokenize(self, text: str) -> list[int]:
        """User text to tokens; special tokens in the text stay plain text.

        llama.cpp leaves control tokens alone here but still takes user-defined ones
        (``<tool_call>`` in Qwen) for special, so their spellings are cut in two.
        """
        return [
            token
            for piece in self._spellings.split(text)
            if piece
            for token in self._tokenize(piece.encode("utf-8", "replace"), parse_special=False)
        ]

    def tokenize_markup(self, text: str) -> list[int]:
        """Text of the model's own template to tokens, special ones included."""
        return self._tokenize(text.encode("utf-8", "replace"), parse_special=True)

    def _user_defined(self) -> re.Pattern[str]:
        """Matches the empty place after the first character of each user-defined spelling."""
        spellings = (
            self.piece(token).decode("utf-8", "replace")
            for token in range(self.n_vocab)
            if c.llama_vocab_get_attr(self.vocab, token) & c.LLAMA_TOKEN_ATTR_USER_DEFINED
        )
        # Gemma defines runs of blanks this way; those are ordinary text.
        marks = sorted(text for text in spellings if any(map(str.isalpha, text)))
        places = [f"(?<={re.escape(text[0])})(?={re.escape(text[1:])})" for text in marks]
        return re.compile("|".join(places) or r"(?!)")

    def piece(self, token: int) -> bytes:
        """The bytes of one token; empty for control tokens, which must never be shown."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = c.llama_token_to_piece(self.vocab, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length  # a long run of blanks: llama.cpp says how much room it wants

    def _tokenize(self, data: bytes, *, parse_special: bool) -> list[int]:
        capacity = len(data) + 8
        tokens = (c.llama_token * capacity)()
        count = c.llama_tokenize(
            self.vocab, data, len(data), tokens, capacity, False, parse_special
        )
        if count < 0:
            raise EngineDown("llama.cpp could not tokenize the text.")
        return list(tokens[:count])

    def token_bytes(self) -> list[bytes]:
        """`piece` of every token."""
        return [self.piece(token) for token in range(self.n_vocab)]


_CUT_SHORT: Final = ("not within the file bounds", "failed to read")


def _load_error(path: Path, log: str) -> UnsupportedModel:
    """Say in one sentence why llama.cpp refused a file."""
    if "unknown model architecture" in log:
        name = log.partition("unknown model architecture")[2].strip(" :").partition("\n")[0]
        return UnsupportedModel(
            f"{path.name} has the architecture {name}, which this llama.cpp does not know.",
            "Update llama-cpp-python or choose another model.",
        )
    if any(sign in log for sign in _CUT_SHORT):
        return UnsupportedModel(
            f"{path.name} is cut short.",
            "Run `fimble models verify` and then `fimble models pull` again.",
        )
    if "magic" in log:
        return UnsupportedModel(f"{path.name} is not a GGUF file.", "Choose a .gguf model.")
    reason = log.strip().splitlines()[-1] if log.strip() else "no reason given"
    return UnsupportedModel(
        f"llama.cpp could not load {path.name}: {reason}.",
        "Run `fimble models verify`, or choose another model.",
    )
