"""Decoding: the KV cells of all sequences, batches, logits, and the way to break off."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as c

from fimble.engine.llama.model import Model
from fimble.errors import EngineDown

N_UBATCH: Final = 128
"""Tokens per graph: the most work lost when a key press aborts a prefill; the tiled CPU kernels
want 64 rows or more and gain nothing past 128 on two cores."""
N_OUTPUTS_MAX: Final = 32
"""Rows of logits reserved, 0.6 MB each; the default is one per batch token, 311 MB for 512."""
BRANCHES: Final = 16
"""Ways that one batch may read beyond the end of a sequence, each a sequence of its own."""


class Outcome(Enum):
    """How a decode ended."""

    DONE = "done"
    FULL = "full"
    ABORTED = "aborted"


_OUTCOMES: Final = {0: Outcome.DONE, 1: Outcome.FULL, 2: Outcome.ABORTED}
"""What `llama_decode` returns; all else is an error."""


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


def _c_library() -> Any:
    """The C library that holds ``strlen``, on Linux, macOS and Windows."""
    return ctypes.CDLL("msvcrt") if sys.platform == "win32" else ctypes.CDLL(None)
