"""Writing a model file anew with other tensor types."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

from llama_cpp import llama_cpp as c

from fimble.engine.llama.model import Backend, Model
from fimble.errors import UnsupportedModel

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
