"""From messages to a prompt, in the form that the model's own chat template gives them.

The template comes with the model file and is not trusted: it runs in jinja's sandbox, in bounds.
The texts are not trusted either, in another way: the template never sees them. It is rendered with
placeholders, its own words become `Markup`, in which special tokens are special tokens, and the
texts are put back in between as plain pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NoReturn

from jinja2 import Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fimble.engine.messages import Markup, ModelInfo, Prompt
from fimble.prompt.fim import unix

MAX_TEMPLATE_CHARS: Final = 64 * 1024
"""The longest template of a known model has a third of this."""
MAX_RENDERED_CHARS: Final = 256 * 1024
MAX_STEPS: Final = 1000
EDGE: Final = "\v"
"""White space that no template writes, around each placeholder: gone if the template trims."""

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
    stem = "fimbletext"
    while stem in template:
        stem += "x"
    turns = [
        {"role": one.role, "content": f"{EDGE}{stem}{index}z{EDGE}"}
        for index, one in enumerate(messages)
    ]
    try:
        rendered = _bounded(_compiled(template), turns)
    except (TemplateError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
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


def _bounded(template: Template, turns: list[dict[str, str]]) -> str:
    """Render, but not without end.

    The engine puts the token that begins a text in front by itself. Dates and tools are left out:
    the same messages give the same prompt every day.
    """
    rendered = ""
    variables = {"bos_token": "", "eos_token": "", "tools": None, "add_generation_prompt": True}
    for piece in template.generate(messages=turns, **variables):
        rendered += piece
        if len(rendered) > MAX_RENDERED_CHARS:
            raise SecurityError("The chat template does not come to an end.")
    return rendered


class _Environment(ImmutableSandboxedEnvironment):
    """jinja's sandbox, in which nothing can be made huge by multiplying."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        del context, left, right
        raise SecurityError(f"A chat template may not use {operator}.")


@lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    """Compile as the libraries do for which templates are written: 1 to 10 ms."""
    environment = _Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": _refuse, "range": _range}
    return environment.from_string(template)


def _refuse(message: str) -> NoReturn:
    """Be the function by which templates refuse a conversation."""
    raise TemplateError(message)


def _range(*bounds: int) -> range:
    """Be ``range``, within reason."""
    numbers = range(*bounds)
    if len(numbers) > MAX_STEPS:
        raise SecurityError("The chat template counts too far.")
    return numbers
