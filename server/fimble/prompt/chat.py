"""From messages to a prompt, in the form that the model's own chat template gives them.

The template comes with the model file and is not trusted: it runs in jinja's sandbox, in bounds.
The texts are not trusted either, in another way: the template never sees them. It is rendered with
placeholders, its own words become `Markup`, in which special tokens are special tokens, and the
texts are put back in between as plain pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from fimble.engine.messages import Markup, ModelInfo, Prompt
from fimble.prompt.fim import unix

MAX_TEMPLATE_CHARS: Final = 64 * 1024
"""The longest template of a known model has a third of this."""
EDGE: Final = "\v"
"""White space that no template writes, around each placeholder: gone if the template trims."""

FENCE: Final = "```"
"""What stands around code in a conversation."""

Part = int | str | Markup


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


def chat_prompt(
    messages: tuple[Message, ...], info: ModelInfo, *, begin: str = ""
) -> Prompt | None:
    """Lay out a conversation; the model goes on with its answer, which begins with ``begin``.

    None for a base model, which has no template, and for a template that cannot be used: one that
    is broken, too long, or does not show each text once and whole. A model without system messages
    gets them in front of the first question.
    """
    template = info.chat_template
    if not template or len(template) > MAX_TEMPLATE_CHARS:
        return None
    for form in (messages, without_system(messages)):
        parts = _render(template, form)
        if parts is not None:
            return Prompt((*parts, unix(begin)) if begin else parts)
    return None


def fence_around(text: str) -> str:
    """Return a fence for a text: longer than all that are in it, so that none of them ends it."""
    return "`" * max((len(run) + 1 for run in re.findall(r"`{3,}", text)), default=len(FENCE))


def fence_of(prompt: Prompt) -> str:
    """Return the fence with which the answer to a prompt begins, the usual one if with none."""
    last = prompt.parts[-1]
    begun = re.match(r"`{3,}", last) if isinstance(last, str) else None
    return begun[0] if begun else FENCE


def without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the messages with what the system says in front of what the user says first."""
    system = [one.text for one in messages if one.role == "system"]
    rest = [one for one in messages if one.role != "system"]
    if not (system and rest):
        return messages
    first = Message(rest[0].role, "\n\n".join([*system, rest[0].text]))
    return (first, *rest[1:])


def _render(template: str, messages: tuple[Message, ...]) -> tuple[Part, ...] | None:
    """Return the pieces of the conversation, or None if the template does not do."""
    from fimble.prompt.template import render  # noqa: PLC0415

    stem = "fimbletext"
    while stem in template:
        stem += "x"
    turns = [
        {"role": one.role, "content": f"{EDGE}{stem}{index}z{EDGE}"}
        for index, one in enumerate(messages)
    ]
    rendered = render(template, turns)
    if rendered is None:
        return None
    pieces = re.split(rf"({EDGE}?){stem}(\d+)z({EDGE}?)", rendered)
    shown = [int(index) for index in pieces[2::4]]
    if sorted(shown) != list(range(len(messages))) or EDGE in "".join(pieces[::4]):
        return None
    parts: list[Part] = [Markup(pieces[0])]
    for left, index, right, markup in zip(*(pieces[n::4] for n in (1, 2, 3, 4)), strict=True):
        text = unix(messages[int(index)].text)
        text = text if left else text.lstrip()
        parts += [text if right else text.rstrip(), Markup(markup)]
    return tuple(part for part in parts if part not in ("", Markup("")))
