"""``fimble bench replay``: a typist's keys through the real server, asking after each of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console

from fimble.errors import FimbleError
from fimble.measure import plot, scenes
from fimble.measure.course import Look, course_figures, look
from fimble.measure.replay_figures import Key, typing_figures
from fimble.measure.replay_table import replay_table
from fimble.measure.trace import Trace, load
from fimble.measure.typist import NOWHERE, Typist, fresh_cache, machine, server

MEMORY_EVERY: Final = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What to replay; ``keys`` 0 means all, ``pause_s`` is between an answer and the next key.

    ``root`` is the workspace folder that holds the file; without one there is no context.
    ``looks`` is how often the server is looked into on the way; it gets time to rest for that.
    """

    trace: Trace
    skip: int
    keys: int
    settings: Mapping[str, Any]
    pause_s: float = 0.0
    only_typing: bool = False
    root: Path | None = None
    looks: int = 0


def bench_replay(
    file: Path | None,
    *,
    name: str | None,
    plan: Mapping[str, Any],
    json_file: Path | None,
    plot_file: Path | None,
) -> int:
    """Replay a trace, print a table, and write what was asked for; raises `FimbleError`."""
    if plot_file:
        plot.check(plot_file)
    chosen = Plan(load(file, name), **plan)
    console = Console(highlight=False, markup=False)
    report = asyncio.run(replay(chosen))
    console.print(replay_table(report))
    if json_file:
        json_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if plot_file:
        plot.draw_replay(report, plot_file)
    print(json.dumps({name: value for name, value in report.items() if name != "each"}))
    return 0


async def replay(plan: Plan) -> dict[str, Any]:
    """Run the whole benchmark and return its report."""
    trace = plan.trace.stretch(plan.skip, plan.keys)
    load_before = psutil.getloadavg()[0]
    with fresh_cache() as environment:
        async with server(plan.settings, environment, plan.root) as (editor, status):
            typist = Typist(editor, trace.name, plan.root.as_uri() if plan.root else NOWHERE)
            keys, looks = await _type(typist, trace, plan)
            figures: dict[str, Any] = {"typing": typing_figures(keys[1:])}
            if not plan.only_typing:
                figures["preemption"] = await scenes.preempt(typist, keys[1:])
                figures["switch"] = await scenes.switch(typist)
            figures["memory"] = typist.memory.figures()
            if looks:
                figures["course"] = course_figures(looks)
    if not plan.only_typing:
        figures["restart"] = await scenes.restart(plan.settings, trace)
    return {
        "suite": "replay",
        "file": trace.name,
        "keys": len(keys),
        "skipped": plan.skip,
        "pause_ms": plan.pause_s * 1000,
        "model": status["model"],
        "profile": status["profile"],
        "machine": machine(load_before),
        "first_touch_ms": round(keys[0].total_ms, 1),
        **figures,
        "each": [asdict(key) for key in keys],
    }


async def _type(typist: Typist, trace: Trace, plan: Plan) -> tuple[list[Key], list[Look]]:
    """Press all keys; the first one is the first touch of the place."""
    typist.open(trace.start)
    await typist.editor.flush()
    keys: list[Key] = []
    looks: list[Look] = []
    for index, step in enumerate(trace.steps):
        if index and plan.pause_s:
            await asyncio.sleep(plan.pause_s)
        key = await typist.press(step)
        if key is not None:
            keys.append(key)
        if index % MEMORY_EVERY == 0:
            typist.memory.look()
        done = index + 1
        if done * plan.looks // len(trace.steps) > len(looks):
            looks.append(await look(typist.editor, done))
            print(looks[-1], file=sys.stderr)  # whoever stops a long run still knows something
    if len(keys) <= 1:
        raise FimbleError("There is nothing to sum up: the first key does not count.")
    return keys, looks
