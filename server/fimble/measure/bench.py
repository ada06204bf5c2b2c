"""``fimble bench``: how fast the server itself is. Commands, not tests: machines differ.

``startup`` compares the answer to `initialize` with a bare pygls server's. ``request`` measures
what a warm request spends in the model and what outside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from fimble.features.complete import TYPED_ALONG
from fimble.measure.driver import SERVE, options, until_ready
from fimble.measure.figures import Sample, latency_table, sample, summary
from fimble.measure.screen import Screen
from fimble.protocol.client import EditorClient

STARTUP_RUNS: Final = 10
REQUEST_RUNS: Final = 50
FILE_LINES: Final = 5000
URI: Final = "file:///bench/generated.py"

BARE: Final = """
from pygls.lsp.server import LanguageServer
LanguageServer("bare", "1").start_io()
"""

INSIDE: Final = "warm, inside a block"
ENDING: Final = "warm, at a block's end"
AGAIN: Final = "same request again"
KEY: Final = "key press"
ALONG: Final = "key typed along"
KINDS: Final = (INSIDE, ENDING, AGAIN, KEY, ALONG)

INSIDE_LINE: Final = "        weights = list(map(float, (value * factor for value in ())))"
MARKED_LINE: Final = "        return round(float(sum(value * factor for value in ())))"
"""Where requests are made: inside the innermost brackets, and behind each closing one, so that
the place differs, the model runs, and the prompt stays anchored. At a block's end tree-sitter
cannot reuse what follows in Python, so that the check of a suggestion costs more there."""
CLOSERS: Final = 4
TYPED: Final = (
    "wanted = factor * 3",
    "limit = len(values) - 1",
    "if limit > wanted:",
    "offset = wanted % 7",
    "pair = (offset, limit)",
)


def bench(suite: str, runs: int) -> int:
    """Run a suite, ``runs`` times or (0) as often as it likes; print a table and a JSON line."""
    console = Console(highlight=False, markup=False)
    if suite == "startup":
        figures = asyncio.run(_startup(console, runs or STARTUP_RUNS))
    else:
        figures = asyncio.run(_request(console, runs or REQUEST_RUNS))
    print(json.dumps({"suite": suite, **figures}))
    return 0


# --- startup ----------------------------------------------------------------------------------


async def _startup(console: Console, runs: int) -> dict[str, Any]:
    """Alternate between the two servers, so that both meet the same weather."""
    bare_command = (sys.executable, "-c", BARE)
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {"FIMBLE_MODEL_DIR": directory}
        for command in (bare_command, SERVE):  # once for the disk cache, not counted
            await _initialize_ms(command, environment)
        for _ in range(runs):
            bare.append(await _initialize_ms(bare_command, environment))
            ours.append(await _initialize_ms(SERVE, environment))
    figures = {
        "runs": runs,
        "bare_ms_p50": round(median(bare), 1),
        "fimble_ms_p50": round(median(ours), 1),
        "difference_ms": round(median(ours) - median(bare), 1),
        "ratio": round(median(ours) / median(bare), 2),
    }
    table = Table(title="From process start to the answer to initialize", box=None)
    for heading in ("server", "median ms", "least ms"):
        table.add_column(heading)
    for name, values in (("bare pygls", bare), ("fimble serve", ours)):
        table.add_row(name, f"{median(values):.0f}", f"{min(values):.0f}")
    console.print(table)
    console.print(f"difference {figures['difference_ms']} ms, ratio {figures['ratio']}")
    return figures


async def _initialize_ms(command: Sequence[str], environment: Mapping[str, str]) -> float:
    started = perf_counter()
    async with EditorClient(command, environment) as editor:
        # The model is not to be fetched for this; it is not loaded before the answer anyway.
        await editor.initialize(options={"download": {"auto": False}})
        return (perf_counter() - started) * 1000


# --- request ----------------------------------------------------------------------------------


async def _request(console: Console, runs: int) -> dict[str, Any]:
    async with EditorClient(SERVE) as editor:
        await editor.initialize(options=options(None))
        with Screen(Console(stderr=True)).progress() as show:
            status = await until_ready(editor, show)
        text = generated_file(FILE_LINES)
        editor.open(URI, text)
        await editor.flush()
        inside, ending = (_behind(line, text) for line in (INSIDE_LINE, MARKED_LINE))
        samples = await _unchanged(editor, inside, INSIDE, runs)
        samples += await _unchanged(editor, ending, ENDING, runs)
        samples += await _again(editor, ending, runs)
        samples += await _typing(editor, ending + 1, runs)
    console.print(latency_table(samples, KINDS))
    figures: dict[str, Any] = {
        "model": status["model"]["name"],
        "lines": FILE_LINES,
        "profile": status["profile"],
    }
    for kind in KINDS:
        of_kind = [one for one in samples if one.kind == kind]
        if of_kind:
            figures[kind] = summary(of_kind)
    return figures


async def _unchanged(editor: EditorClient, place: int, kind: str, runs: int) -> list[Sample]:
    """Ask at one bracket after another; only what the model answered counts."""
    samples: list[Sample] = []
    for attempt in range(-1, 8 * runs):
        offset = place - (attempt % (CLOSERS + 1))
        one, trace = await _ask(editor, offset, kind)
        if attempt < 0:
            await editor.flush()  # warm: what is read behind the first answer is read
        elif trace["promptTokens"]:
            samples.append(one)
        if len(samples) == runs:
            break
    return samples


async def _again(editor: EditorClient, place: int, runs: int) -> list[Sample]:
    """Ask the same thing over and over."""
    inside = place - CLOSERS
    await _ask(editor, inside, AGAIN)
    return [(await _ask(editor, inside, AGAIN))[0] for _ in range(runs)]


async def _typing(editor: EditorClient, place: int, runs: int) -> list[Sample]:
    """Type new lines and ask after each key; the model and typing along are told apart."""
    samples: list[Sample] = []
    for key in _keys(runs + 1):
        editor.edit(URI, place, place, key)
        place += len(key)
        one, _ = await _ask(editor, place, KEY)
        samples.append(one)
    return samples[1:]  # the first one moved the anchor


async def _ask(editor: EditorClient, offset: int, kind: str) -> tuple[Sample, dict[str, Any]]:
    _, total_ms = await editor.timed_inline_completion(URI, offset)
    (explanation,) = await editor.explain_last()
    if kind == KEY and explanation["detail"] == TYPED_ALONG:
        kind = ALONG
    return sample(kind, total_ms, explanation), explanation["trace"]


def _keys(count: int) -> Iterator[str]:
    """Yield ``count`` key presses that write line after line."""
    done = 0
    while True:
        for line in TYPED:
            for key in ("        " + line[0], *line[1:], "\n"):
                if done == count:
                    return
                yield key
                done += 1


def _behind(line: str, text: str) -> int:
    """Return the end of this line where it is nearest the middle of the file."""
    return text.index(line, len(text) // 2) + len(line)


def generated_file(lines: int) -> str:
    """Return a Python file of that many lines: classes of small methods, all of them different."""
    words = ("price", "weight", "volume", "distance", "speed", "score", "budget", "delay")
    result = ['"""Generated for a measurement."""', "", "import math", ""]
    number = 0
    while len(result) < lines:
        noun, other = words[number % len(words)], words[number // len(words) % len(words)]
        if number % len(words) == 0:
            result += ["", f"class {other.title()}{number}:", f'    """Holds the {other}s."""', ""]
        result += [
            f"    def {noun}_{number}(self, values: list[float], factor: float) -> float:",
            f'        """Return the {noun} number {number} of the {other}s."""',
            f"        result = [value * factor + {number} for value in values]",
            f"        if len(result) > {number % 17}:",
            f"            result.append(math.sqrt({number}))",
            INSIDE_LINE,
            f"        result.extend(weights[:{number % 5}])",
            MARKED_LINE,
            "",
        ]
        number += 1
    return "\n".join(result[:lines]) + "\n"
