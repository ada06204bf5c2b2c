"""``fimble bench decode``: tokens written a second by the worker, beside llama.cpp's llama-bench.

They take turns, with the same file, threads and length of context. Through the engine alone, with
everything that a token costs there: choosing it, its probability, and the way to the server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from fimble.engine.base import Engine
from fimble.engine.messages import GREEDY, Prompt, Sampling
from fimble.errors import FimbleError
from fimble.measure.bench import generated_file
from fimble.measure.figures import tell
from fimble.measure.once import settings_of, start_engine
from fimble.settings import Settings

TOKENS: Final = 64
ROUNDS: Final = 8
UNDRAFTED: Final = Sampling(seed=1)
"""Greedy all the same, as nothing is drawn, but drafts are for `GREEDY` only."""


def bench_decode(
    model: str | None, threads: int | None, *, depth: int, llama_bench: Path | None
) -> int:
    """Print the rates and a JSON line; ``depth`` tokens come before what is written."""
    # Without a disk: what an earlier run left there would count as read, and the prompt be longer.
    chosen: dict[str, Any] = {
        "optimize": "never",
        "engine": {"threads": threads},
        "cache": {"diskMegabytes": 0},
    }
    figures = asyncio.run(measure(settings_of(chosen, model), depth, llama_bench))
    tell("decode", figures)
    return 0


async def measure(settings: Settings, depth: int, llama_bench: Path | None) -> dict[str, Any]:
    """Return the rates; with ``llama_bench`` also its rate and the ratio; raises `FimbleError`."""
    engine = await start_engine(settings)
    plain: list[float] = []
    drafted: list[float] = []
    theirs: list[float] = []
    try:
        info, profile = engine.status.info, engine.status.profile
        assert info is not None, "a started engine has a model"
        assert profile is not None, "and knows how to run it"
        prompt = await _prompt(engine, depth)
        for _ in range(ROUNDS):
            await _rate(engine, prompt, UNDRAFTED)  # llama-bench warms up before it measures, too
            rate, before = await _rate(engine, prompt, UNDRAFTED)
            plain.append(rate)
            drafted.append((await _rate(engine, prompt, GREEDY))[0])
            if llama_bench is not None:
                command = _command(llama_bench, info.path, profile.n_threads, depth)
                theirs.append(await _their_rate(command))
    finally:
        await engine.close()
    figures: dict[str, Any] = {
        "model": Path(info.path).name,
        "threads": profile.n_threads,
        "depth": before,
        "tokens_a_second": round(median(plain), 1),
        "with_drafts": round(median(drafted), 1),
    }
    if theirs:
        figures["llama_bench"] = round(median(theirs), 1)
        figures["share"] = round(median(plain) / median(theirs), 3)
    return figures


async def _prompt(engine: Engine, depth: int) -> Prompt:
    """Return source code of about ``depth`` tokens."""
    text = generated_file(depth)
    low, high = 1, len(text)
    while low < high:
        middle = (low + high) // 2
        (tokens,) = await engine.unread([Prompt((text[:middle],))])
        low, high = (middle + 1, high) if tokens < depth else (low, middle)
    return Prompt((text[:low],))


async def _rate(engine: Engine, prompt: Prompt, sampling: Sampling) -> tuple[float, int]:
    """Tokens a second from the first one on, and how many tokens came before it."""
    async with engine.generate(prompt, max_tokens=TOKENS, sampling=sampling) as generation:
        times = [perf_counter() async for _ in generation]
    if len(times) <= TOKENS // 2:
        raise FimbleError("The model stopped too early to tell how fast it writes.")
    return (len(times) - 1) / (times[-1] - times[0]), generation.trace.prompt_tokens


def _command(llama_bench: Path, model: str, threads: int, depth: int) -> Sequence[str]:
    shape = ("-p", "0", "-n", f"{TOKENS}", "-d", f"{depth}", "-fa", "1", "-t", f"{threads}")
    return (str(llama_bench), "-m", model, *shape, "-r", "1", "-o", "json")


async def _their_rate(command: Sequence[str]) -> float:
    """Run llama-bench once; raises `FimbleError` if it does not work."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise FimbleError(f"{command[0]} cannot be run: {error.strerror}.") from error
    output, errors = await process.communicate()
    if process.returncode:
        raise FimbleError("llama-bench failed.", errors.decode("utf-8", "replace")[-200:])
    return float(json.loads(output)[0]["avg_ts"])
