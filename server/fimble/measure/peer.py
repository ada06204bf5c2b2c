"""``fimble bench peer``: the same keys through Fimble and through llama-server as llama.vim asks.

Both have the same model file, the same threads and the same stop rule (the first line, or 24
tokens). They take turns key by key, and each is idle before the other's turn: Fimble has finished
what it does in the background, and the peer its speculative request. The peer is set up as its
documentation says. Its client's cache is simulated, and keys that it answers count as 0 ms.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from fimble.errors import FimbleError
from fimble.measure import llamavim, plot
from fimble.measure.llamaserver import LlamaServer, llama_server
from fimble.measure.replay_figures import Answer, Key, latency, ratio, tokens
from fimble.measure.replay_table import add_latency, latency_table
from fimble.measure.trace import Kind, Step, Trace, apply, load
from fimble.measure.typist import Typist, fresh_cache, machine, server

MAX_TOKENS: Final = 24
WARM_UP: Final = 3
"""The first keys do not count: they read the file."""
NOTE: Final = (
    "The peer gets no extra chunks of context, and its client's cache answers in no time at all;"
    f" the first {WARM_UP} keys are left out."
)


@dataclass(frozen=True, slots=True)
class Theirs:
    """What the peer did with one key; milliseconds, and tokens read before the first new one.

    ``is_cached``: its client knew the answer. It was asked nevertheless, for the comparison
    without the cache.
    """

    total_ms: float
    evaluated: int
    generated: int
    is_cached: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """One key on both sides; ``theirs`` is None where llama.vim does not ask by itself."""

    index: int
    ours: Key
    theirs: Theirs | None


@dataclass(slots=True)
class Peer:
    """llama.vim in miniature."""

    server: LlamaServer
    cache: llamavim.SuggestionCache = field(default_factory=llamavim.SuggestionCache)

    async def press(self, text: str, cursor: int) -> Theirs | None:
        """Ask for what the text now needs; then ask ahead, as llama.vim does."""
        place = llamavim.local(text, cursor)
        if not llamavim.asks_here(place):
            return None
        known = self.cache.get(place)
        answer, total_ms = await self._ask(place, llamavim.FIRST_MS)
        await self._ask_ahead(text, cursor, answer["content"] if known is None else known)
        return Theirs(
            total_ms=total_ms,
            evaluated=answer["timings/prompt_n"],
            generated=answer["timings/predicted_n"],
            is_cached=known is not None,
        )

    async def _ask_ahead(self, text: str, cursor: int, shown: str) -> None:
        ahead = llamavim.local_if_accepted(text, cursor, shown)
        if shown.strip() and ahead not in self.cache:
            await self._ask(ahead, llamavim.SPECULATIVE_MS)

    async def _ask(self, place: llamavim.Local, limit_ms: int) -> tuple[dict[str, Any], float]:
        body = llamavim.request(place, max_tokens=MAX_TOKENS, max_predict_ms=limit_ms)
        answer, total_ms = await self.server.infill(body)
        self.cache.put(place, answer["content"])
        return answer, total_ms


def bench_peer(
    binary: Path,
    file: Path | None,
    *,
    name: str | None,
    skip: int,
    keys: int,
    settings: Mapping[str, Any],
    json_file: Path | None,
    plot_file: Path | None,
) -> int:
    """Compare, print a table, and write what was asked for; raises `FimbleError`."""
    if plot_file:
        plot.check(plot_file)
    trace = load(file, name).without(Kind.ACCEPT).stretch(skip, keys)
    console = Console(highlight=False, markup=False)
    report = asyncio.run(compare(binary, trace, settings))
    console.print(peer_table(report))
    if json_file:
        json_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if plot_file:
        plot.draw_peer(report, plot_file)
    print(json.dumps({name: value for name, value in report.items() if name != "each"}))
    return 0


async def compare(binary: Path, trace: Trace, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Run both servers on the same keys and return the report."""
    load_before = psutil.getloadavg()[0]
    one_line = {"enabled": True, "multiline": "never", "maxTokens": MAX_TOKENS}
    with fresh_cache() as environment:
        async with server({**settings, "completion": one_line}, environment) as (editor, status):
            flags = peer_flags(status["profile"])
            async with llama_server(binary, status["model"]["path"], flags) as theirs:
                pairs = await _take_turns(Typist(editor, trace.name), Peer(theirs), trace)
    counted = pairs[WARM_UP:]
    return {
        "suite": "peer",
        "file": trace.name,
        "keys": len(counted),
        "model": status["model"],
        "profile": status["profile"],
        "peer_flags": list(flags),
        "note": NOTE,
        "machine": machine(load_before),
        "first_touch_ms": _first_touch(pairs[0]),
        "comparisons": comparisons(counted),
        "each": [flat(pair) for pair in counted],
    }


def peer_flags(profile: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how to start the peer: as its documentation says, with our threads and layers."""
    return (
        *llamavim.SERVER_FLAGS,
        "--threads",
        str(profile["nThreads"]),
        "--threads-batch",
        str(profile["nThreadsBatch"]),
        "-ngl",
        str(profile["nGpuLayers"]),
    )


async def _take_turns(typist: Typist, peer: Peer, trace: Trace) -> list[Pair]:
    """Give each key to both, one after the other; who goes first changes with each key."""
    text = trace.start
    typist.open(text)
    await typist.editor.flush()
    pairs = []
    for index, step in enumerate(trace.steps):
        text = apply(text, step.patches)
        if index % 2:
            theirs = await peer.press(text, step.cursor)
            ours = await _press(typist, step)
        else:
            ours = await _press(typist, step)
            theirs = await peer.press(text, step.cursor)
        pairs.append(Pair(index, ours, theirs))
    if len(pairs) <= WARM_UP:
        raise FimbleError(f"There is nothing to compare: the first {WARM_UP} keys do not count.")
    return pairs


async def _press(typist: Typist, step: Step) -> Key:
    typist.edit(step)
    key = await typist.ask(step.kind)
    await typist.editor.flush()
    return key


# --- figures ----------------------------------------------------------------------------------

Test = Callable[[Pair], bool]


def both_ask(pair: Pair) -> bool:
    """Tell whether both models had to work for this key, caches and all."""
    return (
        pair.theirs is not None and not pair.theirs.is_cached and pair.ours.answer is Answer.MODEL
    )


def both_answer(pair: Pair) -> bool:
    """Tell whether neither side leaves this place alone."""
    return pair.theirs is not None and pair.ours.answer is not Answer.REFUSED


def both_go_on(pair: Pair) -> bool:
    """Tell whether the cursor is where it was: after a jump both sides read much anew."""
    return both_answer(pair) and pair.ours.kind is not Kind.JUMP


def comparisons(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Compare where both models work, with the peer's cache, without it, and so without jumps."""
    return {
        "both ask the model": _comparison(pairs, both_ask, with_cache=True),
        "all, with its client cache": _comparison(pairs, both_answer, with_cache=True),
        "all, without that cache": _comparison(pairs, both_answer, with_cache=False),
        "no jumps, without that cache": _comparison(pairs, both_go_on, with_cache=False),
    }


def _comparison(pairs: Sequence[Pair], test: Test, *, with_cache: bool) -> dict[str, Any]:
    chosen = [(pair.ours, pair.theirs) for pair in pairs if pair.theirs and test(pair)]
    spared = [with_cache and theirs.is_cached for _, theirs in chosen]
    ours = latency(key.total_ms for key, _ in chosen)
    theirs = latency(
        0.0 if free else their.total_ms for (_, their), free in zip(chosen, spared, strict=True)
    )
    read = (0 if free else their.evaluated for (_, their), free in zip(chosen, spared, strict=True))
    return {
        "fimble_ms": ours,
        "peer_ms": theirs,
        "fimble_evaluated": tokens(key.evaluated for key, _ in chosen),
        "peer_evaluated": tokens(read),
        "peer_cached": sum(their.is_cached for _, their in chosen),
        "fimble_typed_along": sum(key.answer is Answer.ALONG for key, _ in chosen),
        "ratio_p50": ratio(ours.get("p50", 0.0), theirs.get("p50", 0.0)),
        "ratio_p95": ratio(ours.get("p95", 0.0), theirs.get("p95", 0.0)),
    }


def flat(pair: Pair) -> dict[str, Any]:
    """Return a key for the JSON report and the plot."""
    theirs = pair.theirs
    return {
        "index": pair.index,
        "both": both_ask(pair),
        "fimble_ms": pair.ours.total_ms,
        "peer_ms": theirs.total_ms if theirs else None,
        "fimble": asdict(pair.ours),
        "peer": asdict(theirs) if theirs else None,
    }


def _first_touch(pair: Pair) -> dict[str, float | None]:
    theirs = round(pair.theirs.total_ms, 1) if pair.theirs else None
    return {"fimble": round(pair.ours.total_ms, 1), "peer": theirs}


def peer_table(report: Mapping[str, Any]) -> Group:
    """Return the comparison as tables."""
    latencies = latency_table("Milliseconds to the first suggestion line")
    read = Table(title="Tokens read per key", title_justify="left", box=None)
    for heading in ("", "Fimble median", "mean", "peer median", "mean"):
        read.add_column(heading, justify="right" if heading else "left")
    lines = []
    for name, figures in report["comparisons"].items():
        if not figures["fimble_ms"]["count"]:
            continue
        add_latency(latencies, f"{name}: Fimble", figures["fimble_ms"])
        add_latency(latencies, f"{name}: peer", figures["peer_ms"])
        sides = (figures["fimble_evaluated"], figures["peer_evaluated"])
        read.add_row(name, *(f"{side[key]:g}" for side in sides for key in ("median", "mean")))
        lines.append(
            f"{name}: Fimble takes {_share(figures['ratio_p50'])} of the peer's median and"
            f" {_share(figures['ratio_p95'])} of its 95th percentile;"
            f" from a cache: Fimble {figures['fimble_typed_along']}, peer {figures['peer_cached']}"
        )
    load = report["machine"]
    lines += [report["note"], f"machine: load {load['load_before']} to {load['load_after']}"]
    return Group(latencies, Text(), read, Text(), *(Text(line) for line in lines))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
