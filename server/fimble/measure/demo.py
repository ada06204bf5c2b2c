"""``fimble demo``: the real server, driven as an editor does, on real files in the terminal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fimble.errors import FimbleError
from fimble.features.complete import TYPED_ALONG, Reason
from fimble.measure.driver import SERVE, options, until_ready
from fimble.measure.figures import Sample, latency_table, sample
from fimble.measure.places import Example, Place, examples, own_files
from fimble.measure.screen import Screen
from fimble.protocol.client import EditorClient, ServerFailure, Suggestion
from fimble.source.languages import Languages

FIRST: Final = "first touch"
JUMP: Final = "jump"
KEY: Final = "key press"
ALONG: Final = "typed along"
KINDS: Final = (FIRST, JUMP, KEY, ALONG)
BAD_REASONS: Final = frozenset({Reason.DOWN, Reason.FAILED, Reason.LOADING})


def demo(files: Sequence[Path], model: str | None) -> int:
    """Show suggestions in ``files`` or the examples; 0 if all went well, 1 if anything failed.

    Raises `FimbleError` where there are no files to show.
    """
    chosen = own_files(files) if files else examples()
    return asyncio.run(_demo(chosen, model, Screen()))


async def _demo(chosen: Sequence[Example], model: str | None, screen: Screen) -> int:
    tour = Tour(EditorClient(SERVE), screen)
    try:
        async with tour.editor as editor:
            await tour.begin(model)
            for example in chosen:
                await tour.show(example)
            await tour.end()
            status = await editor.shut_down()
            if status:
                tour.failures.append(f"The server ended with exit status {status}.")
    except (ConnectionError, TimeoutError, ServerFailure) as error:
        tour.failures.append(f"The server does not answer: {str(error) or type(error).__name__}.")
    except FimbleError as error:
        tour.failures.append(str(error))
    return tour.sum_up()


@dataclass(slots=True)
class Tour:
    """One run of the demo: an editor, what it measured, and what went wrong."""

    editor: EditorClient
    screen: Screen
    languages: Languages = field(default_factory=Languages.load)
    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    shown: int = 0

    async def begin(self, model: str | None) -> None:
        """Start the server and wait for its model, downloading it if need be."""
        self.screen.line("Starting `fimble serve` as an editor would.")
        await self.editor.initialize(options=options(model))
        with self.screen.progress() as show:
            status = await until_ready(self.editor, show)
        profile = status["profile"]
        self.screen.line(
            f"{status['model']['name']} is ready: {profile['nThreads']} threads,"
            f" reads {profile['prefillRate']:.0f} and writes {profile['decodeRate']:.0f}"
            " tokens a second here."
        )

    async def show(self, example: Example) -> None:
        """Open one file and type at its places, last place first, so that offsets stay true."""
        language = self.languages.for_path(str(example.path))
        uri = example.path.as_uri()
        self.screen.heading(f"{example.path.name} ({language.name})")
        self.editor.open(uri, example.text, language.lsp_ids[0])
        reasons: Counter[str] = Counter()
        kind = FIRST
        for place in reversed(example.places):
            reasons += await self._type(uri, place, kind)
            kind = JUMP
        self.editor.close_document(uri)
        if not reasons[Reason.SHOWN]:
            told = ", ".join(f"{reason} {count} times" for reason, count in reasons.items())
            self.failures.append(f"{example.path.name}: nothing was suggested ({told}).")
        for reason in BAD_REASONS & reasons.keys():
            self.failures.append(f"{example.path.name}: the model was {reason} at a key press.")

    async def end(self) -> None:
        """Look whether everything survived."""
        status = await self.editor.status()
        if status["restarts"]:
            self.failures.append(f"The model's process died {status['restarts']} times.")
        self.failures += self.editor.messages

    def sum_up(self) -> int:
        """Show the latencies, then what failed; return the exit code."""
        self.screen.console.print()
        if self.samples:
            self.screen.console.print(latency_table(self.samples, KINDS))
        for failure in self.failures:
            self.screen.line(f"failed: {failure}", "bold red")
        if not self.failures:
            self.screen.line(f"{self.shown} suggestions in {len(self.samples)} requests.", "bold")
        return 1 if self.failures else 0

    async def _type(self, uri: str, place: Place, kind: str) -> Counter[str]:
        """Press the keys of a place and ask after each; count the reasons of the answers."""
        if place.removed:
            self.editor.edit(uri, place.offset, place.offset + place.removed, "")
        reasons: Counter[str] = Counter()
        offset, last, along = place.offset, "", 0
        suggestion = None
        for key in place.keys:
            self.editor.edit(uri, offset, offset, key)
            offset += len(key)
            suggestion, explanation, total_ms = await self._ask(uri, offset, kind)
            kind = KEY
            reasons[explanation["reason"]] += 1
            whole = self._after(uri, place.offset, suggestion)
            if suggestion and whole != last:
                self.screen.suggestion(self.editor.text(uri), offset, suggestion)
                last = whole
            if explanation["detail"] == TYPED_ALONG:
                along += 1
            else:
                self.screen.cost(explanation, total_ms)
        if along:
            self.screen.line(
                f"      {along} keys typed along the suggestion, without the model", "dim"
            )
        if place.accept and suggestion:
            reasons += await self._accept(uri, suggestion)
        return reasons

    async def _accept(self, uri: str, suggestion: Suggestion) -> Counter[str]:
        """Take the suggestion and ask what comes after it."""
        offset = self.editor.accept(suggestion)
        self.screen.line("      accepted", "green")
        following, explanation, total_ms = await self._ask(uri, offset, KEY)
        if following:
            self.screen.suggestion(self.editor.text(uri), offset, following)
        self.screen.cost(explanation, total_ms)
        return Counter({explanation["reason"]: 1})

    async def _ask(
        self, uri: str, offset: int, kind: str
    ) -> tuple[Suggestion | None, dict[str, Any], float]:
        suggestions, total_ms = await self.editor.timed_inline_completion(uri, offset)
        (explanation,) = await self.editor.explain_last()
        if explanation["detail"] == TYPED_ALONG:
            kind = ALONG
        self.samples.append(sample(kind, total_ms, explanation))
        self.shown += bool(suggestions)
        return (suggestions[0] if suggestions else None), explanation, total_ms

    def _after(self, uri: str, start: int, suggestion: Suggestion | None) -> str:
        """Return what the text from ``start`` on would be with the suggestion in it."""
        if suggestion is None:
            return ""
        return self.editor.text(uri)[start : suggestion.start] + suggestion.text
