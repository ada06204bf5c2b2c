"""What a replay measures besides typing: interruptions, switching files, restarting."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any, Final

from fimble.measure.bench import MARKED_LINE, generated_file
from fimble.measure.replay_figures import (
    Answer,
    Key,
    decode_step_ms,
    latency,
    ratio,
    waiting_figures,
)
from fimble.measure.trace import Kind, Trace
from fimble.measure.typist import Typist, fresh_cache, line_below, server

SWITCHES: Final = 8
PREEMPTIONS: Final = 16
TYPED: Final = "zq = xj + kv if wz else qx"
"""What is typed where the model is to be asked: nothing that it would suggest."""
OTHER_NAME: Final = "other.py"
OTHER_LINES: Final = 300
READ_AHEAD_LINES: Final = 1200
READING_SECONDS: Final = 0.2
"""How long a file is being read when a key is pressed in another one."""


async def preempt(typist: Typist, keys: Sequence[Key]) -> dict[str, Any]:
    """Press keys while the model writes, and while it reads another file ahead.

    A key waits for older work as long as its answer comes later than the model's part of it and
    what is usual besides.
    """
    asked = [key for key in keys if key.answer is Answer.MODEL]
    if not asked:
        return {}
    usual_ms = median(key.total_ms - key.model_ms for key in asked)
    delay_s = median(key.total_ms for key in asked) / 2000
    step_ms = decode_step_ms(asked)
    typist.new_line()
    return {
        "while_writing_ms": waiting_figures(await _interrupt(typist, delay_s), usual_ms, step_ms),
        "while_reading_ms": waiting_figures(await _press_while_reading(typist), usual_ms, step_ms),
    }


async def _interrupt(typist: Typist, delay_s: float) -> list[Key]:
    """Ask, and before the answer is there press the next key and ask again."""
    keys = []
    for index in range(PREEMPTIONS):
        typist.insert(typist.cursor, TYPED[2 * index % len(TYPED)])
        _, first = typist.editor.ask_inline_completion(typist.uri, typist.cursor)
        await asyncio.sleep(delay_s)
        was_busy = not first.done()
        typist.insert(typist.cursor, TYPED[(2 * index + 1) % len(TYPED)])
        key = await typist.ask(Kind.TYPE)
        await typist.editor.wait(first)
        if was_busy and key.answer is Answer.MODEL:  # some keys are what was being written
            keys.append(key)
    return keys


async def _press_while_reading(typist: Typist) -> list[Key]:
    """Open a big file, and while the server reads it press a key where one was typing."""
    keys = []
    text = generated_file(READ_AHEAD_LINES)
    for index in range(SWITCHES):
        uri = f"file:///bench/ahead{index}.py"
        # Another beginning, so that nothing of it was read before.
        typist.editor.open(uri, f'"""Number {index}."""\n{text}')
        await asyncio.sleep(READING_SECONDS)
        typist.insert(typist.cursor, TYPED[index])
        keys.append(await typist.ask(Kind.TYPE))
        typist.editor.close_document(uri)
    return keys


# --- switching and restarting -----------------------------------------------------------------


async def switch(typist: Typist) -> dict[str, Any]:
    """Go back and forth between two files that are both known; one key in each."""
    other = Typist(typist.editor, OTHER_NAME)
    text = generated_file(OTHER_LINES)
    other.open(text)
    other.cursor = text.index(MARKED_LINE, len(text) // 2)
    for one in (typist, other):
        one.new_line()
        await one.ask(Kind.JUMP)
        await typist.editor.flush()  # the other's work would make an end to its own
    keys = []
    for character in TYPED[:SWITCHES]:
        for one in (typist, other):
            one.insert(one.cursor, character)
            keys.append(await one.ask(Kind.TYPE))
    asked = [key for key in keys if key.answer is Answer.MODEL]
    return {
        "total_ms": latency(key.total_ms for key in asked),
        "first_token_ms": latency(key.first_token_ms for key in asked),
        "evaluated": latency(key.evaluated for key in asked),
        "restored": latency(key.restored for key in asked),
    }


async def restart(settings: Mapping[str, Any], trace: Trace) -> dict[str, Any]:
    """Open the file in a server without any KV state, and again in the next server."""
    with fresh_cache() as environment:
        cold = await _start_and_ask(settings, trace, environment)
        warm = await _start_and_ask(settings, trace, environment)
    return {
        "cold": cold,
        "warm": warm,
        "warm_share": ratio(warm["first_answer_ms"], cold["first_answer_ms"]),
        "warm_first_token_share": ratio(warm["first_token_ms"], cold["first_token_ms"]),
    }


async def _start_and_ask(
    settings: Mapping[str, Any], trace: Trace, environment: Mapping[str, str]
) -> dict[str, float]:
    """Return milliseconds from the start to a loaded model, and from opening to an answer."""
    text = trace.end()
    end, line = line_below(text, trace.steps[-1].cursor)  # where suggestions are welcome
    started = perf_counter()
    async with server(settings, environment) as (editor, _):
        loaded_ms = (perf_counter() - started) * 1000
        typist = Typist(editor, trace.name)
        opened = perf_counter()
        typist.open(text[:end] + line + text[end:])
        typist.cursor = end + len(line)
        key = await typist.ask(Kind.JUMP)
        first_answer_ms = (perf_counter() - opened) * 1000
        await editor.flush()
    return {
        "loaded_ms": round(loaded_ms, 1),
        "first_answer_ms": round(first_answer_ms, 1),
        "first_token_ms": round(key.first_token_ms, 1),
        "evaluated": key.evaluated,
        "restored": key.restored,
    }
