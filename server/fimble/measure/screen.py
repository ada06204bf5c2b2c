"""The demo on the terminal: code with ghost text, what was reused, progress.

Everything can be read without colours too: then ghost text stands between ``{+`` and ``+}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from fimble.features.complete import Reason
from fimble.source.languages import PLAIN
from fimble.source.text import Snapshot

if TYPE_CHECKING:
    from fimble.measure.driver import Show
    from fimble.protocol.client import Suggestion

BAR_CELLS: Final = 24
SHOWN_TENTHS: Final = 10


class Screen:
    """Writes what the demo does."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, markup=False)
        self._colours = self.console.is_terminal and self.console.color_system is not None
        self._unicode = self.console.encoding.lower().startswith("utf")

    @contextmanager
    def progress(self) -> Iterator[Show]:
        """Show how far the model is: a bar, or a line for each tenth where there is no terminal."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        is_terminal = self.console.is_terminal
        with Progress(
            *columns,
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not is_terminal,
        ) as bar:
            task = bar.add_task("starting", total=1.0)
            told = ("", -1)

            def show(fraction: float, stage: str) -> None:
                nonlocal told
                bar.update(task, completed=fraction, description=stage)
                now = (stage, int(fraction * SHOWN_TENTHS))
                if not is_terminal and stage and now != told:
                    self.console.print(f"{stage}: {fraction:.0%}", soft_wrap=True)
                    told = now

            yield show

    def heading(self, text: str) -> None:
        """Begin a file."""
        self.console.print()
        self.console.print(Text(text, style="bold"), soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """Write a line."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def suggestion(self, text: str, cursor: int, suggestion: Suggestion) -> None:
        """Show the cursor's line, numbered, with what the model would add to it."""
        lines = Snapshot.open(suggestion.uri, 0, PLAIN, text)
        line = lines.line_of(cursor)
        start, end = lines.line_range(line)
        code = Text(text[start : suggestion.start])
        code.append_text(self._ghost(suggestion.text))
        code.append(text[suggestion.end : max(end, suggestion.end)])
        code.expand_tabs(4)
        for index, piece in enumerate(code.split("\n")):
            number = Text(f"{line + 1:5} " if index == 0 else " " * 6, style="dim")
            bar = "\u2502 " if self._unicode else "| "
            self.console.print(number + Text(bar, style="dim") + piece, soft_wrap=True)

    def cost(self, explanation: dict[str, Any], total_ms: float) -> None:
        """Show what the model read again, and how long that took."""
        trace, reason = explanation["trace"], explanation["reason"]
        prompt, reused = trace["promptTokens"], trace["reused"]
        filled = BAR_CELLS * reused // prompt if prompt else 0
        full, empty = ("\u2588", "\u2591") if self._unicode else ("#", ".")
        bar = full * filled + empty * (BAR_CELLS - filled)
        nothing = "" if reason == Reason.SHOWN else f"; nothing shown: {reason}"
        self.line(
            f"      {bar} prompt {prompt} tokens: {reused} reused, {trace['evaluated']} read,"
            f" {trace['generated']} written; {total_ms:.0f} ms, {trace['modelMs']:.0f} of them"
            f" in the model{nothing}",
            "dim",
        )

    def _ghost(self, text: str) -> Text:
        if self._colours:
            return Text(text, style="dim italic cyan")
        return Text("{+" + text + "+}")
