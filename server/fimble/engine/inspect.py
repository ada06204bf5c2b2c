"""Look into a GGUF without loading its weights: ``python -m fimble.engine.inspect PATH``.

Runs in a child process, because a damaged file may bring llama.cpp, and so its process, down.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from fimble.engine.child import answer, ask
from fimble.engine.messages import ModelInfo
from fimble.errors import EngineDown, UnsupportedModel

TIMEOUT_S: Final = 60.0


def inspect_model(path: Path) -> ModelInfo:
    """What the file says of itself; raises `UnsupportedModel` when it cannot complete code."""
    try:
        return ask("fimble.engine.inspect", [str(path)], ModelInfo, timeout_s=TIMEOUT_S)
    except EngineDown as error:
        raise UnsupportedModel(
            f"llama.cpp cannot read {path.name}.", "Choose another GGUF file."
        ) from error


def _inspect() -> ModelInfo:
    from fimble.engine.llama.model import Backend, Model  # noqa: PLC0415  (only the child loads it)

    return Model(Backend(), Path(sys.argv[1]), vocab_only=True).info()


if __name__ == "__main__":
    answer(_inspect)
