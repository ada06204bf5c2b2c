"""Look into a GGUF without loading its weights: ``python -m fimble.engine.inspect PATH``.

Runs in a child process, because a damaged file may bring llama.cpp, and so its process, down.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from fimble.engine.messages import Failed, ModelInfo
from fimble.errors import FimbleError, UnsupportedModel, from_name

TIMEOUT_S: Final = 60.0


def inspect_model(path: Path) -> ModelInfo:
    """What the file says of itself; raises `UnsupportedModel` when it cannot complete code."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fimble.engine.inspect", str(path)],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        answer = msgspec.msgpack.decode(done.stdout, type=dict[str, msgspec.Raw])
    except (subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        raise UnsupportedModel(
            f"llama.cpp cannot read {path.name}.", "Choose another GGUF file."
        ) from error
    if "info" in answer:
        return msgspec.msgpack.decode(answer["info"], type=ModelInfo)
    failed = msgspec.msgpack.decode(answer["failed"], type=Failed)
    raise from_name(failed.kind, failed.message, failed.hint)


def main() -> None:
    """Print one MessagePack map: ``info`` or ``failed``."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # llama.cpp may print; the answer must stay alone
    from fimble.engine.llama import Backend, Model  # noqa: PLC0415  (only the child loads it)

    try:
        answer: dict[str, object] = {
            "info": Model(Backend(), Path(sys.argv[1]), vocab_only=True).info()
        }
    except FimbleError as error:
        answer = {"failed": Failed(None, type(error).__name__, error.message, error.hint)}
    sink.write(msgspec.msgpack.encode(answer))
    sink.flush()


if __name__ == "__main__":
    main()
