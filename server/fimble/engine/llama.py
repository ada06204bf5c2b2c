"""The only door to llama.cpp: its low-level interface, wrapped thinly and safely.

The high-level class of llama-cpp-python ignores the context parameters that matter here
(``n_seq_max``, ``kv_unified``, ``n_outputs_max``), copies logits and recomputes prompts, so it is
not used. llama.cpp ends the process on a violated assertion; every call here checks its
arguments first. One thread at a time may use a `Context`; `Context.abort` may be called from any.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as c

from fimble.engine.messages import ModelInfo
from fimble.engine.vocab import find_sentinels
from fimble.errors import EngineDown, ModelMissing, UnsupportedModel

N_UBATCH: Final = 128
"""Tokens per graph: the most work lost when a key press aborts a prefill; the tiled CPU kernels
want 64 rows or more and gain nothing past 128 on two cores."""
N_OUTPUTS_MAX: Final = 32
"""Rows of logits reserved, 0.6 MB each; the default is one per batch token, 311 MB for 512."""
BRANCHES: Final = 16
"""Ways that one batch may read beyond the end of a sequence, each a sequence of its own."""
ALL_LAYERS: Final = 999
LOG_ERROR: Final = 4
_LOG_LINES: Final = 200


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


class Outcome(Enum):
    """How a decode ended."""

    DONE = "done"
    FULL = "full"
    ABORTED = "aborted"


_OUTCOMES: Final = {0: Outcome.DONE, 1: Outcome.FULL, 2: Outcome.ABORTED}
"""What `llama_decode` returns; all else is an error."""


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
        """What the file says of itself; raises `UnsupportedModel` without FIM tokens."""
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


class Context:
    """One llama.cpp context: KV cells shared by ``n_seq_max`` sequences, one batch, one abort flag.

    Decoding runs in chunks of `N_UBATCH`, so an abort loses one graph at the most.
    """

    def __init__(
        self,
        model: Model,
        *,
        n_ctx: int,
        n_threads: int,
        n_threads_batch: int,
        flash_attention: bool,
        n_seq_max: int = 1,
    ) -> None:
        self.model = model
        self.n_seq_max = n_seq_max
        # llama.cpp calls its abort callback after every graph node. A Python callback would take
        # the GIL 700 times per decode; the C library's strlen has a compatible signature and
        # returns non-zero exactly when the flag's first byte is set.
        self._flag = ctypes.create_string_buffer(2)
        params = c.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_batch = N_UBATCH
        params.n_ubatch = N_UBATCH
        params.n_seq_max = n_seq_max + 1 + BRANCHES
        params.n_outputs_max = max(N_OUTPUTS_MAX, n_seq_max + 1 + BRANCHES)
        params.n_threads = n_threads
        params.n_threads_batch = n_threads_batch
        params.flash_attn_type = (
            c.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash_attention else c.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        params.kv_unified = True
        params.abort_callback = ctypes.cast(_c_library().strlen, c.ggml_abort_callback)
        params.abort_callback_data = ctypes.cast(self._flag, ctypes.c_void_p)
        self.handle = c.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise EngineDown(
                f"llama.cpp could not make a context of {n_ctx} tokens.",
                "Lower the setting engine.contextSize or close other programs.",
            )
        self.n_ctx = int(c.llama_n_ctx(self.handle))
        self._memory = c.llama_get_memory(self.handle)
        self._scratch = n_seq_max  # a sequence of our own, through which ranges are saved
        self._branches = range(n_seq_max + 1, n_seq_max + 1 + BRANCHES)
        self._batch = _Batch(N_UBATCH)

    def close(self) -> None:
        """Free the KV cells."""
        if self.handle:
            c.llama_free(self.handle)
            self.handle = None

    def abort(self) -> None:
        """End the decode under way as soon as its current graph node is done; any thread."""
        self._flag[0] = b"\x01"

    def clear_abort(self) -> None:
        """Let decodes run again."""
        self._flag[0] = b"\x00"

    def set_threads(self, n_threads: int, n_threads_batch: int) -> None:
        """Change the thread counts; cheap."""
        c.llama_set_n_threads(self.handle, n_threads, n_threads_batch)

    def decode(self, tokens: Sequence[int], *, seq: int, position: int, outputs: int) -> Outcome:
        """Append at most `N_UBATCH` tokens to a sequence, with logits for the last ``outputs``.

        After anything but DONE the sequence ends where it ended before.
        """
        if not 0 < len(tokens) <= N_UBATCH or not 0 <= outputs <= N_OUTPUTS_MAX:
            raise ValueError(f"cannot decode {len(tokens)} tokens with {outputs} outputs at once")
        self._batch.fill(
            tokens, np.arange(position, position + len(tokens), dtype=np.int32), outputs
        )
        self._batch.own(seq)
        outcome = self._run_batch()
        if outcome is not Outcome.DONE:
            self.remove(seq, position)
        return outcome

    def decode_branches(
        self, tokens: Sequence[int], parents: Sequence[int], *, seq: int, position: int
    ) -> Outcome:
        """Read a forest that hangs on the end of a sequence, with logits for each token.

        ``parents[i]`` is the index of the token before token ``i``, which comes earlier, or -1
        for the end of the sequence. At most `N_OUTPUTS_MAX` tokens and `BRANCHES` leaves. Nothing
        of it stays in the cells.
        """
        leaves = sorted(set(range(len(tokens))).difference(parents))
        if not 0 < len(tokens) <= N_OUTPUTS_MAX or len(leaves) > BRANCHES:
            raise ValueError(f"cannot decode {len(tokens)} tokens on {len(leaves)} branches")
        depths: list[int] = []
        for parent in parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        self._batch.fill(tokens, position + np.asarray(depths, np.int32), len(tokens))
        self._batch.disown()
        for branch, leaf in zip(self._branches, leaves, strict=False):
            self.copy(seq, branch, position)
            node = leaf
            while node >= 0:
                self._batch.share(node, branch)
                node = parents[node]
        try:
            return self._run_batch()
        finally:
            for branch, _ in zip(self._branches, leaves, strict=False):
                self.remove(branch, 0)

    def _run_batch(self) -> Outcome:
        code = c.llama_decode(self.handle, self._batch.struct)
        if code not in _OUTCOMES:
            raise EngineDown(f"llama.cpp failed to decode (code {code}).")
        return _OUTCOMES[code]

    def logits(self, index: int = -1) -> npt.NDArray[np.float32]:
        """A view, valid until the next decode, of the logits of one output (from the end)."""
        pointer = c.llama_get_logits_ith(self.handle, index)
        return np.ctypeslib.as_array(pointer, (self.model.n_vocab,))

    def remove(self, seq: int, start: int, end: int = -1) -> None:
        """Drop positions ``[start, end)`` of a sequence; ``-1`` is its end."""
        c.llama_memory_seq_rm(self._memory, seq, start, end)

    def copy(self, source: int, target: int, end: int) -> None:
        """Let ``target`` share the first ``end`` cells of ``source``; nothing is copied."""
        c.llama_memory_seq_cp(self._memory, source, target, 0, end)

    def save(self, seq: int, start: int, end: int) -> npt.NDArray[np.uint8]:
        """The cells ``[start, end)`` of a sequence in llama.cpp's own format."""
        c.llama_memory_seq_cp(self._memory, seq, self._scratch, start, end)
        size = c.llama_state_seq_get_size(self.handle, self._scratch)
        blob = np.empty(size, np.uint8)
        written = c.llama_state_seq_get_data(self.handle, _bytes(blob), size, self._scratch)
        self.remove(self._scratch, 0)
        return blob[:written]

    def restore(self, seq: int, blob: npt.NDArray[np.uint8], end: int) -> bool:
        """Append a saved range to a sequence, up to position ``end``; False if it does not fit."""
        size = blob.nbytes
        read = c.llama_state_seq_set_data(self.handle, _bytes(blob), size, self._scratch)
        if read == size:
            c.llama_memory_seq_cp(self._memory, self._scratch, seq, 0, end)
        self.remove(self._scratch, 0)
        return bool(read == size)


def _bytes(blob: npt.NDArray[np.uint8]) -> Any:
    return blob.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


class _Batch:
    """A `llama_batch` over numpy arrays that are filled in place."""

    def __init__(self, capacity: int) -> None:
        self.tokens = np.zeros(capacity, np.int32)
        self.positions = np.zeros(capacity, np.int32)
        self.counts = np.ones(capacity, np.int32)
        self.wants = np.zeros(capacity, np.int8)
        self.seqs = np.zeros((capacity, BRANCHES), np.int32)
        rows = [row.ctypes.data_as(ctypes.POINTER(c.llama_seq_id)) for row in self.seqs]
        self._rows = (ctypes.POINTER(c.llama_seq_id) * capacity)(*rows)
        self.struct = c.llama_batch(
            n_tokens=0,
            token=self.tokens.ctypes.data_as(ctypes.POINTER(c.llama_token)),
            embd=None,
            pos=self.positions.ctypes.data_as(ctypes.POINTER(c.llama_pos)),
            n_seq_id=self.counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._rows,
            logits=self.wants.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(self, tokens: Sequence[int], positions: npt.NDArray[np.int32], outputs: int) -> None:
        """Set all but whose the tokens are; logits are wanted of the last ``outputs``."""
        count = len(tokens)
        self.tokens[:count] = tokens
        self.positions[:count] = positions
        self.wants[:count] = 0
        self.wants[count - outputs : count] = 1
        self.struct.n_tokens = count

    def own(self, seq: int) -> None:
        """Give all tokens to one sequence."""
        self.seqs[:, 0] = seq
        self.counts[:] = 1

    def disown(self) -> None:
        """Take all tokens from their sequences; `share` them out again."""
        self.counts[:] = 0

    def share(self, index: int, seq: int) -> None:
        """Give a token to one more sequence."""
        self.seqs[index, self.counts[index]] = seq
        self.counts[index] += 1


_BODIES: Final = {
    "q4_0": c.LLAMA_FTYPE_MOSTLY_Q4_0,
    "iq4_nl": c.LLAMA_FTYPE_MOSTLY_IQ4_NL,
}
_HEADS: Final = {
    "q4_0": c.GGML_TYPE_Q4_0,
    "q6_k": c.GGML_TYPE_Q6_K,
    "q8_0": c.GGML_TYPE_Q8_0,
}
_K_BLOCK: Final = 256
"""Weights in a block of the k-types; the others here have blocks of 32."""


def requantize(
    backend: Backend, source: Path, target: Path, *, body: str, head: str | None, n_threads: int
) -> None:
    """Write ``source`` with other tensor types to ``target``; ``head`` None keeps the head's.

    Blocks for seconds (Q4_0) to minutes (IQ4_NL). Raises `ModelMissing`, or `UnsupportedModel`
    when the source cannot be read or does not allow these types.
    """
    model = Model(backend, source, vocab_only=True)
    width = int(model.metadata(f"{model.metadata('general.architecture')}.embedding_length") or 0)
    model.close()
    if head == "q6_k" and width % _K_BLOCK:
        raise UnsupportedModel(
            f"{source.name} is {width} wide, which is no multiple of {_K_BLOCK}, as Q6_K needs."
        )
    params = c.llama_model_quantize_default_params()
    params.nthread = n_threads
    params.ftype = _BODIES[body]
    params.allow_requantize = True
    params.quantize_output_tensor = head is not None
    if head is not None:
        params.output_tensor_type = _HEADS[head]
    params.token_embedding_type = c.GGML_TYPE_Q8_0
    backend.errors()
    code = c.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if code != 0:
        log = backend.errors().strip().splitlines()
        reason = log[-1].rpartition("failed to quantize: ")[2] if log else f"code {code}"
        raise UnsupportedModel(f"llama.cpp could not write {source.name} as {body}: {reason}")


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


def _c_library() -> Any:
    """The C library that holds ``strlen``, on Linux, macOS and Windows."""
    return ctypes.CDLL("msvcrt") if sys.platform == "win32" else ctypes.CDLL(None)
