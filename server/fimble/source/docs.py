"""What a definition says of itself: its first line, and its documentation comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fimble.source.symbols import Symbol
    from fimble.source.text import Snapshot


def signature(snapshot: Snapshot, symbol: Symbol) -> str:
    """Return the first line of a definition, without what opens its body."""
    line = snapshot.line_text(snapshot.line_of(symbol.name_start)).strip()
    return line.rstrip("{").rstrip() or symbol.name


def comment_of(snapshot: Snapshot, symbol: Symbol) -> str:
    """Return the documentation comment of a definition as plain text; empty without one."""
    form = snapshot.language.doc_comment
    if form is None:
        return ""
    first = snapshot.line_of(symbol.start)
    if form.place == "inside":
        body = snapshot.text[symbol.name_start : symbol.end]
        return _between(body, form.open, form.close)
    lines: list[str] = []
    for number in range(first - 1, -1, -1):
        line = snapshot.line_text(number).strip()
        marks = (form.line.strip(), form.open.strip(), form.close.strip())
        if not any(mark and line.startswith(mark) for mark in marks):
            break
        line = line.removeprefix(form.open.strip()).removesuffix(form.close.strip()).strip()
        lines.insert(0, line.removeprefix(form.line.strip()).strip())
    return "\n".join(lines).strip()


def _between(body: str, opener: str, closer: str) -> str:
    """Return the first quoted text of a body that begins a line of its own."""
    match = re.search(rf"\n[ \t]*{re.escape(opener)}(.*?){re.escape(closer)}", body, re.DOTALL)
    # Only blank lines and the rest of the definition's head may come before it.
    if match is None or body[: match.start()].count("\n") > 3:
        return ""
    return "\n".join(line.strip() for line in match[1].strip().splitlines())
