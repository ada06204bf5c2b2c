"""``fimble bench drafts``: what drafting is worth while somebody types.

Two workers with the same model. One answers a trace's keys as a server would; what it wrote for a
key is then written twice more, by the other with drafts and by itself without, in turns. Only this
writing is compared: the steps from the first token to the last. Keys that ask no model are no part
of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from fimble.engine.base import Engine
from fimble.engine.base import Trace as Work
from fimble.engine.messages import GREEDY, Profile, Prompt, Sampling
from fimble.errors import FimbleError
from fimble.features.complete import complete
from fimble.features.memory import Memory
from fimble.features.written import expected
from fimble.measure.chosen import laid_over
from fimble.measure.decoding import UNDRAFTED
from fimble.measure.figures import tell
from fimble.measure.once import settings_of, start_engine
from fimble.measure.trace import Kind, Trace, apply, load
from fimble.measure.typist import NOWHERE
from fimble.prompt.fim import prompt_for
from fimble.settings import Settings
from fimble.source.languages import Languages
from fimble.source.text import Snapshot

LEAST_TOKENS: Final = 2
"""The first token comes with the prompt: what is left can be drafted."""


@dataclass(frozen=True, slots=True)
class Written:
    """One key's text: its tokens, those of them that were drafted rightly, and milliseconds."""

    tokens: int
    drafted: int
    accepted: int
    with_drafts_ms: float
    without_ms: float


def bench_drafts(
    file: Path | None,
    *,
    name: str | None,
    skip: int,
    keys: int,
    settings: Mapping[str, Any],
    json_file: Path | None,
) -> int:
    """Print the gain and a JSON line; raises `FimbleError`."""
    # Without a disk: two workers would write to the same files.
    chosen = settings_of(laid_over(settings, {"cache": {"diskMegabytes": 0}}))
    trace = load(file, name).without(Kind.ACCEPT).stretch(skip, keys)
    profile, each = asyncio.run(_write_twice(trace, chosen))
    figures = figures_of(each, profile.batch_costs)
    if json_file:
        report = {**figures, "each": [asdict(one) for one in each]}
        json_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    tell("drafts", figures)
    return 0


def figures_of(each: Sequence[Written], costs: Sequence[float]) -> dict[str, Any]:
    """Sum up; ``costs`` as in `Profile`. Raises `FimbleError` if there is nothing."""
    if not each:
        raise FimbleError("No key had the model write two tokens.", "Replay more keys: --keys.")
    with_drafts = sum(one.with_drafts_ms for one in each)
    without = sum(one.without_ms for one in each)
    steps = sum(one.tokens - 1 for one in each)
    return {
        "keys_that_asked": len(each),
        "tokens": sum(one.tokens for one in each),
        "drafted": sum(one.drafted for one in each),
        "accepted": sum(one.accepted for one in each),
        "ms_a_token": round(with_drafts / steps, 1),
        "ms_a_token_without": round(without / steps, 1),
        "gain": round(without / with_drafts, 3),
        "gain_median": round(median(one.without_ms / one.with_drafts_ms for one in each), 3),
        "gain_if_all_were_right": round(best_gain(costs), 3),
    }


def best_gain(costs: Sequence[float]) -> float:
    """Return what this machine's batches would gain if each draft were right to its end."""
    return max((count / cost for count, cost in enumerate(costs, 1)), default=1.0)


async def _write_twice(trace: Trace, settings: Settings) -> tuple[Profile, list[Written]]:
    drafting, plain = await start_engine(settings), await start_engine(settings)
    try:
        profile = drafting.status.profile
        assert profile is not None, "a started engine knows how to run its model"
        return profile, [one async for one in _type(trace, drafting, plain, settings)]
    finally:
        await drafting.close()
        await plain.close()


async def _type(
    trace: Trace, drafting: Engine, plain: Engine, settings: Settings
) -> AsyncIterator[Written]:
    """Press the keys; yield for each that had the model write two tokens or more."""
    languages, uri = Languages.load(), f"{NOWHERE}/{trace.name}"
    language = languages.for_document("", uri)
    text, memory = trace.start, Memory()
    for version, step in enumerate(trace.steps):
        text = apply(text, step.patches)
        snapshot = Snapshot.open(uri, version, language, text).parse(languages.grammar(language))
        guess = expected(snapshot, step.cursor, memory.written)
        completion, memory = await complete(snapshot, step.cursor, memory, plain, settings)
        tokens, info = completion.trace.generated, plain.status.info
        if tokens < LEAST_TOKENS or memory.layout is None or info is None:
            continue
        prompt = prompt_for(memory.layout, info)
        ways = [(drafting, GREEDY, guess), (plain, UNDRAFTED, "")]
        if version % 2:
            ways.reverse()
        done = {
            sampling: await _write(engine, prompt, tokens, sampling, guessed)
            for engine, sampling, guessed in ways
        }
        yield Written(
            tokens=tokens,
            drafted=done[GREEDY].drafted,
            accepted=done[GREEDY].accepted,
            with_drafts_ms=writing_ms(done[GREEDY]),
            without_ms=writing_ms(done[UNDRAFTED]),
        )


async def _write(
    engine: Engine, prompt: Prompt, tokens: int, sampling: Sampling, guess: str
) -> Work:
    async with engine.generate(
        prompt, max_tokens=tokens, sampling=sampling, guess=guess
    ) as generation:
        async for _ in generation:
            pass
    return generation.trace


def writing_ms(work: Work) -> float:
    """Return the time from the first token, which the prompt's last step gave, to the last."""
    return work.model_ms - work.prefill_ms
