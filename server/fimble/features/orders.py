"""Orders in words: how a model that follows them is asked, and what of its answer counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

from fimble.check.stop import SENTINEL
from fimble.engine.messages import Priority
from fimble.features.writing import answers, is_closed, model
from fimble.prompt.chat import Message, chat_prompt, fence_around

if TYPE_CHECKING:
    from fimble.engine.messages import Prompt
    from fimble.features.offer import Task
    from fimble.source.languages import Language

CANNOT: Final = "This model does not follow instructions. Choose an instruct model in `model`."
TOO_LONG: Final = "This is too much code for the model. Select less of it."
MAX_CODE: Final = 4000
"""Characters of code in an order: 1,200 tokens, 6 s for the 0.5B on two cores."""
SENTENCE: Final = 24
"""Characters of a line that cannot be there twice by chance."""
SHARE: Final = 0.8
"""How full a progress bar gets while the model writes."""


def order(
    task: Task,
    words: str,
    code: str,
    begin: str = "",
    *,
    fence: str = "",
    answer: Language | None = None,
) -> Prompt | None:
    """Lay out an order about ``code``; the model answers in a fence, which ``begin`` begins.

    The ``fence`` is one for the code if it is not given. The answer is in the same language if
    ``answer`` is no other. None for a model that was not trained for conversations.
    """
    language = task.snapshot.language
    fence = fence or fence_around(code + begin)
    about = f"\n\n{fence}{language.id}\n{code}\n{fence}" if code else ""
    begin = f"{fence}{(answer or language).id}\n{begin}"
    return chat_prompt((Message("user", words + about),), model(task.engine), begin=begin)


async def finished(
    task: Task,
    prompt: Prompt,
    max_tokens: int,
    done: Callable[[str], bool] | None = None,
    guess: str = "",
) -> AsyncIterator[str]:
    """Yield the answers that came to their end: their fence was closed, or ``done`` said so.

    Half of an answer must not replace a whole of the user's.
    """
    ended = False

    def watch(text: str) -> bool:
        nonlocal ended
        ended = is_closed(prompt, text) or (done is not None and done(text))
        return ended

    async for text in answers(task, (prompt,), max_tokens, watch, guess):
        if ended:
            yield text


async def spoken(task: Task, prompt: Prompt, max_tokens: int) -> str:
    """Return an answer in prose, in whole lines; the user sees how far it is."""
    text, count = "", 0
    async with task.engine.generate(
        prompt, max_tokens=max_tokens, priority=Priority.ACTION
    ) as generation:
        async for piece in generation:
            text += piece.text
            count += 1
            if _goes_in_circles(text):
                text = text.rstrip().rpartition("\n")[0]
                break
            task.report(_last_words(text), SHARE * count / max_tokens)
    if match := SENTINEL.search(text):
        text = text[: match.start()]
    if generation.reason == "length":
        text = text.rpartition("\n")[0] or text
    return text.replace("\r\n", "\n").strip()


def _goes_in_circles(text: str) -> bool:
    """Tell whether the line that was just finished says again what an earlier one said."""
    if not text.endswith("\n"):
        return False
    *above, last = (line.lstrip("0123456789.*-# ") for line in text.rstrip().split("\n"))
    return len(last) >= SENTENCE and last in above


def _last_words(text: str) -> str:
    """Return the line that is being written, as much as fits beside a progress bar."""
    return text.strip().rpartition("\n")[2].lstrip("#*- ")[-60:]
