"""``fimble bench index``: a workspace of many small files, and whether it disturbs typing.

The same keys are typed with the index at work and without it. They come in bursts, with pauses in
which the index process goes on reading, so that each burst meets it in the middle of a file.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import psutil
from rich.console import Console

from fimble.measure.driver import options
from fimble.measure.figures import percentile
from fimble.measure.typist import MEGABYTE, fresh_cache, open_document, server
from fimble.protocol.client import EditorClient

PER_FOLDER: Final = 100
BURSTS: Final = 12
PAUSE_S: Final = 1.5
"""Longer than the index process rests after a key."""
KEYS: Final = "value = compute_"
POPUPS: Final = 20
TEXT: Final = '"""Where one types."""\n\nfrom folder_1.module_117 import compute_117\n\n'


def bench_index(files: int, model: str | None, json_file: Path | None) -> int:
    """Print how long keys take with and without the index, and what the index takes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        root = Path(name).resolve() / "project"
        write_files(root, files)
        figures = {"suite": "index", "files": files, **asyncio.run(_measure(root, model))}
    console = Console(highlight=False, markup=False)
    for key, value in figures.items():
        console.print(f"{key}: {value}")
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


def write_files(root: Path, count: int) -> None:
    """Make as many small Python modules, a hundred in a folder."""
    for number in range(count):
        folder = root / f"folder_{number // PER_FOLDER}"
        folder.mkdir(parents=True, exist_ok=True)
        text = (
            f'"""Module {number}."""\n\n\ndef compute_{number}(argument, factor):\n'
            f'    """Scale by {number}."""\n    return argument * factor + {number}\n\n\n'
            f"class Holder{number}:\n    def take_{number}(self, item):\n        self.item = item\n"
        )
        (folder / f"module_{number}.py").write_text(text, "utf-8")


async def _measure(root: Path, model: str | None) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for side in ("without", "with"):
        settings = options(model) | {"context": {"enabled": side == "with", "maxFiles": 200_000}}
        with fresh_cache() as environment:
            figures |= await _typed(root, side, settings, environment)
            if side == "with":
                started = perf_counter()
                async with server(settings, environment, root) as (editor, _):
                    await editor.flush()
                    figures["again_s"] = round(perf_counter() - started, 1)
    return figures


async def _typed(
    root: Path, side: str, settings: Mapping[str, Any], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Type while the folder is gone through; then wait for that and ask for popups."""
    async with server(settings, environment, root) as (editor, _):
        started = perf_counter()
        uri = (root / "typed.py").as_uri()
        open_document(editor, uri, TEXT)
        times: list[list[float]] = []
        for _burst in range(BURSTS):
            await asyncio.sleep(PAUSE_S)
            times.append(await _burst_ms(editor, uri))
        figures = _spread(f"{side}: key", [ms for burst in times for ms in burst])
        figures |= _spread(f"{side}: first key of a burst", [burst[0] for burst in times])
        await editor.flush()
        if side == "with":
            figures["indexed_s"] = round(perf_counter() - started, 1)
            figures["index_mb"] = _index_megabytes(editor, environment)
        figures |= _spread(f"{side}: popup", [await _popup_ms(editor, uri) for _ in range(POPUPS)])
    return figures


async def _burst_ms(editor: EditorClient, uri: str) -> list[float]:
    """Type a line, asking after each key; return the milliseconds of each answer."""
    times = []
    for key in KEYS:
        end = editor.type_text(uri, len(editor.text(uri)), key)
        _, ms = await editor.timed_inline_completion(uri, end)
        times.append(ms)
    editor.type_text(uri, len(editor.text(uri)), "\n")
    return times


async def _popup_ms(editor: EditorClient, uri: str) -> float:
    """Type two letters of a name that other files define, the popup asked for after the second."""
    end = editor.type_text(uri, len(editor.text(uri)), "\nco")
    params = {
        "textDocument": {"uri": uri},
        "position": editor.position(editor.documents[uri], end),
        "context": {"triggerKind": 1},
    }
    started = perf_counter()
    await editor.request("textDocument/completion", params)
    return (perf_counter() - started) * 1000


def _index_megabytes(editor: EditorClient, environment: Mapping[str, str]) -> dict[str, int]:
    """Return what the index takes on disk, and its process in memory."""
    kept = Path(environment["FIMBLE_CACHE_DIR"]) / "index"
    children = psutil.Process(editor.pid).children()
    return {
        "disk": sum(file.stat().st_size for file in kept.iterdir()) // int(MEGABYTE),
        "memory": sum(
            child.memory_info().rss
            for child in children
            if "fimble.prompt.indexer" in child.cmdline()
        )
        // int(MEGABYTE),
    }


def _spread(what: str, times: Sequence[float]) -> dict[str, Any]:
    return {
        f"{what}, ms p50": round(median(times), 1),
        f"{what}, ms p95": round(percentile(times, 0.95), 1),
    }
