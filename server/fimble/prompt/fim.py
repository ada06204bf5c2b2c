"""From a `Layout` to the pieces of a prompt in the order the model was trained on."""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from fimble.engine.messages import FimOrder, ModelInfo, Prompt

if TYPE_CHECKING:
    from fimble.prompt.layout import Layout


class Sentinel(StrEnum):
    """The special tokens of fill-in-the-middle, by their names in `ModelInfo.sentinels`."""

    PREFIX = "prefix"
    SUFFIX = "suffix"
    MIDDLE = "middle"
    PAD = "pad"
    REPO = "repo"
    FILE = "file"


def assemble(
    layout: Layout, order: FimOrder, available: Container[str]
) -> tuple[Sentinel | str, ...]:
    r"""Put the layout's texts between the sentinels.

    User text is always a `str` and a special token always a `Sentinel`, so text from files can
    never become a special token. The delta comes last in both orders: typing only grows the end
    of the prompt. Line ends are shown to the model as ``\n`` whatever the file uses.
    """
    before = (Sentinel.PREFIX, *_commented(layout, available), layout.lead, layout.prefix)
    after = (Sentinel.SUFFIX, layout.suffix)
    halves = before + after if order is FimOrder.PREFIX_FIRST else after + before
    # Codestral has none: it goes on after the prefix, which is last in its order.
    middle = (Sentinel.MIDDLE,) if Sentinel.MIDDLE in available else ()
    parts = (*_header(layout, available), *halves, *middle, layout.delta)
    return tuple(part if isinstance(part, Sentinel) else unix(part) for part in parts if part)


def prompt_for(layout: Layout, info: ModelInfo) -> Prompt:
    """Assemble for one loaded model: sentinels as its token ids."""
    parts = assemble(layout, info.order, info.sentinels)
    return Prompt(
        tuple(info.sentinels[part] if isinstance(part, Sentinel) else part for part in parts)
    )


def unix(text: str) -> str:
    r"""Return the text with ``\n`` line ends, for the model's eyes only."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _header(layout: Layout, available: Container[str]) -> tuple[Sentinel | str, ...]:
    """Name the file, which tells the language, if the model was trained to be told.

    Costs about ten tokens once per file and never changes while the file is edited. With a
    context this is the form in which such models saw whole repositories: each file after its
    name, the one to complete last.
    """
    if not layout.path or Sentinel.FILE not in available:
        return ()
    context = layout.context
    if not context:
        return (Sentinel.FILE, f"{layout.path}\n")
    named = Sentinel.REPO in available and context.repository
    repository = (Sentinel.REPO, f"{context.repository}\n") if named else ()
    others = ((Sentinel.FILE, f"{one.path}\n{one.text}\n") for one in context.snippets)
    return (*repository, *chain.from_iterable(others), Sentinel.FILE, f"{context.path}\n")


def _commented(layout: Layout, available: Container[str]) -> tuple[str, ...]:
    """Write the context as comments at the top of the file, for models that know but files."""
    if Sentinel.FILE in available or not layout.context:
        return ()
    opening, closing = layout.context.comment
    lines = [
        line
        for one in layout.context.snippets
        for line in (f"From {one.path}:", *one.text.splitlines())
    ]
    return ("".join(f"{opening} {line} {closing}".rstrip() + "\n" for line in lines),)
