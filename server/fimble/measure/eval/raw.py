"""The same rows put to the bare model: llama-server's /infill, cut at the first line or block.

It gets everything left and right of the cursor and takes of it what it takes; decoding is greedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fimble.measure.eval.ask import Answer, Tick
from fimble.measure.eval.rows import Judge, Row
from fimble.measure.eval.score import Edit
from fimble.measure.llamaserver import LlamaServer, llama_server
from fimble.measure.peer import peer_flags

LINE_TOKENS: Final = 64
BLOCK_TOKENS: Final = 160


async def raw_rows(
    binary: Path, rows: Sequence[Row], status: Mapping[str, Any], tick: Tick
) -> list[Answer]:
    """Ask llama-server with the model and the threads of Fimble's ``status``."""
    answers: list[Answer] = []
    flags = peer_flags(status["profile"])
    async with llama_server(binary, status["model"]["path"], flags) as server:
        for row in rows:
            tick(len(answers))
            answers.append(await _raw(server, row))
    tick(len(answers))
    return answers


async def _raw(server: LlamaServer, row: Row) -> Answer:
    at = len(row.before)
    if row.judge is Judge.BLOCK:
        answer, ms = await server.infill(_body(row, BLOCK_TOKENS, ()))
        text = first_block(answer["content"], row.before)
    elif "\n" in row.missing:
        answer, ms = await server.infill(_body(row, LINE_TOKENS, ()))
        text = answer["content"]
    else:
        answer, ms = await server.infill(_body(row, LINE_TOKENS, ("\n",)))
        if not answer["content"].strip():  # It began with an empty line.
            answer, more = await server.infill(_body(row, LINE_TOKENS, ()))
            ms += more
        text = first_line(answer["content"])
    return Answer((Edit(text, at, at),) if text else (), ms, "shown" if text else "empty")


def _body(row: Row, tokens: int, stop: Sequence[str]) -> dict[str, Any]:
    return {
        "input_prefix": row.before,
        "input_suffix": row.after,
        "prompt": "",
        "n_predict": tokens,
        "temperature": 0.0,
        "samplers": ["top_k"],
        "top_k": 1,
        "stop": list(stop),
        "stream": False,
        "cache_prompt": False,
    }


def first_line(text: str) -> str:
    """Return the first line that is not blank."""
    return next((line for line in text.split("\n") if line.strip()), "")


def first_block(text: str, before: str) -> str:
    """Return what comes before a blank line, or before a line indented less than the first one."""
    line = before[before.rfind("\n") + 1 :]
    text = text.lstrip("\n") if not line.strip() else text
    first, *more = text.split("\n")
    base = _indent(line + first)
    kept = [first]
    for following in more:
        if not following.strip() or _indent(following) < base:
            break
        kept.append(following)
    return "\n".join(kept)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
