"""Inline completion: from a cursor to a suggestion, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from fimble.check.parse import clean_part
from fimble.check.place import Place, closes, look, opens, width
from fimble.check.stop import LIMITS, Mode, Stopper
from fimble.check.trim import contained, trim
from fimble.engine.base import Engine, EngineStatus, Generation, Trace
from fimble.engine.messages import FimOrder, Priority, Prompt, State
from fimble.errors import EngineDown, EngineLoading, FimbleError
from fimble.prompt.context import Context
from fimble.prompt.fim import Sentinel, prompt_for
from fimble.prompt.layout import Layout, anchor_anew, budget_for, lay_out, quick_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimble.settings import Completion as CompletionSettings
    from fimble.settings import Settings
    from fimble.source.text import Snapshot

MAX_REST: Final = 8
"""Longest text right of the cursor, closers aside, that a suggestion may come before."""
MIN_LOGPROB: Final = -2.0
"""Least mean log probability of the first line's tokens that is worth showing. Conservative: of
100 rows of HumanEval-Infilling the least sure right one had -1.63."""
KEPT_CHARS: Final = 200
"""How much text on either side must be as it was for a suggestion to be typed along."""


class Reason(StrEnum):
    """Why a request was answered as it was."""

    SHOWN = "shown"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    PARSE = "parse"
    LOW_CONFIDENCE = "low_confidence"
    MID_WORD = "mid_word"
    MID_LINE = "mid_line"
    DISABLED = "disabled"
    LOADING = "loading"
    DOWN = "down"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer: ``text`` is to replace ``start`` to ``end``, offsets of the snapshot asked of.

    ``text`` is empty unless the reason is SHOWN; ``detail`` is a sentence or a rule's name and
    never holds the user's text.
    """

    text: str
    start: int
    end: int
    reason: Reason
    trace: Trace = field(default_factory=Trace)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The last suggestion, and what stood on both sides of it."""

    uri: str
    start: int
    text: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next request in the same file can build on.

    ``ahead`` are suggestions for what the user may do next, made before they are asked for.
    """

    layout: Layout | None = None
    shown: Shown | None = None
    ahead: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model wrote, how sure it was of the first line, and what that cost.

    The first token does not count: it begins with what the user typed, likely or not.
    """

    text: str
    logprob: float
    cut_short: bool
    stopped_by: str
    trace: Trace


async def complete(
    snapshot: Snapshot,
    offset: int,
    memory: Memory | None,
    engine: Engine,
    settings: Settings,
    *,
    priority: Priority = Priority.KEY_PRESS,
) -> tuple[Completion, Memory]:
    """Answer one request; engine trouble is a reason and never an exception."""
    memory = memory or Memory()
    place = look(snapshot, offset)
    if refusal := refuse(snapshot, place, settings):
        return _nothing(offset, refusal), memory
    for shown in filter(None, (memory.shown, *memory.ahead)):
        if along := type_along(snapshot, offset, place, shown):
            return along, replace(memory, shown=shown)
    prompt, memory = warm(snapshot, offset, memory, engine)
    if prompt is None:
        return _not_ready(offset, engine.status), memory
    mode = choose_mode(snapshot, place, settings.completion)
    limit = min(LIMITS[mode].tokens, settings.completion.max_tokens)
    try:
        one_line = mode is Mode.LINE
        generation = engine.generate(prompt, max_tokens=limit, priority=priority, one_line=one_line)
        draft = await _draft(generation, Stopper(place, mode))
    except FimbleError as error:
        return _failed(offset, error), memory
    completion = await _judge(snapshot, offset, place, mode, draft)
    if completion.reason is Reason.SHOWN:
        memory = replace(memory, shown=remember(snapshot, completion))
    return completion, memory


def warm(
    snapshot: Snapshot, offset: int, memory: Memory | None, engine: Engine
) -> tuple[Prompt | None, Memory]:
    """Lay out the prompt for ``offset``, to be read in advance or to be answered.

    The memory returned carries the anchor: keep it even if the reading is abandoned.
    """
    memory = memory or Memory()
    status = engine.status
    if status.info is None or status.state is not State.READY:
        return None, memory
    profile = status.profile
    layout = lay_out(
        snapshot, offset, budget_for(profile), memory.layout, quick=quick_share(profile)
    )
    return prompt_for(layout, status.info), replace(memory, layout=layout)


def read_ahead(
    snapshot: Snapshot, engine: Engine, context: Context | None = None
) -> tuple[Prompt, Layout] | None:
    """Give the beginning of a file just opened, to be read while the cursor is not known yet.

    Wherever in the first window the user then types, everything up to the anchor is known. The
    layout is what to remember once the prompt was read.
    """
    status = engine.status
    if status.info is None or status.info.order is not FimOrder.PREFIX_FIRST:
        return None
    budget = budget_for(status.profile)
    offset = min(budget.prefix, len(snapshot.text))
    layout = anchor_anew(snapshot, offset, budget, None, context)
    parts = prompt_for(layout, status.info).parts
    beginning = parts[: parts.index(status.info.sentinels[Sentinel.SUFFIX])]
    return Prompt(beginning, heal=False), layout


def refuse(snapshot: Snapshot, place: Place, settings: Settings) -> Reason | None:
    """Say why nothing may be suggested here at all, if so."""
    if not settings.enabled or excluded(snapshot, settings.completion):
        return Reason.DISABLED
    if _is_word(place.before[-1:]) and _is_word(place.after[:1]):
        return Reason.MID_WORD
    if not closes(place.after) and len(place.after.strip()) > MAX_REST:
        return Reason.MID_LINE
    return None


def excluded(snapshot: Snapshot, settings: CompletionSettings) -> bool:
    """Tell whether the settings turn suggestions off for this file."""
    language = snapshot.language
    names = {language.id, *language.lsp_ids}
    path = unquote(urlsplit(snapshot.uri).path)
    return (
        not settings.enabled
        or not names.isdisjoint(settings.disabled_languages)
        or any(fnmatch(path, glob) or fnmatch(path, f"*/{glob}") for glob in settings.exclude)
    )


def choose_mode(snapshot: Snapshot, place: Place, settings: CompletionSettings) -> Mode:
    """Decide how much is wanted: more than a line only where a body or a statement begins."""
    if settings.multiline == "never" or not closes(place.after):
        return Mode.LINE
    comment = snapshot.language.line_comment
    if comment and place.before.lstrip().startswith(comment):
        return Mode.LINE
    has_body = bool(place.below) and width(place.below[0]) > width(place.before)
    if place.blank:
        return Mode.LINE if has_body and place.before else Mode.BLOCK
    if opens(place.before, place.style) and not has_body:
        return Mode.BODY
    return Mode.BLOCK if settings.multiline == "always" else Mode.LINE


def type_along(snapshot: Snapshot, offset: int, place: Place, shown: Shown) -> Completion | None:
    """Answer with the rest of the last suggestion if what was typed since is its beginning.

    A closer that the editor added right of the cursor is replaced by the suggestion's own.
    """
    if shown.uri != snapshot.uri or offset < shown.start:
        return None
    text = snapshot.text
    typed = text[shown.start : offset]
    rest = shown.text.removeprefix(typed)
    if not shown.text.startswith(typed) or not rest.strip():
        return None
    left = shown.start - len(shown.left)
    if left < 0 or not text.startswith(shown.left, left):
        return None
    end = offset + contained(rest, place.after) if closes(place.after) else offset
    if text[end : end + KEPT_CHARS] != shown.right:
        return None
    return Completion(rest, offset, end, Reason.SHOWN, detail="typed along")


async def _draft(generation: Generation, stopper: Stopper) -> Draft:
    """Let the model write until a stop rule fires; leaving the block stops it in the worker."""
    logprobs: list[float] = []
    async with generation:
        async for piece in generation:
            if "\n" not in stopper.text.lstrip():
                logprobs.append(piece.logprob)
            if stopper.feed(piece.text):
                break
    return Draft(
        text=stopper.text,
        logprob=_mean(logprobs[1:]),
        cut_short=generation.reason == "length" and not stopper.reason,
        stopped_by=stopper.reason or generation.reason,
        trace=generation.trace,
    )


async def _judge(
    snapshot: Snapshot, offset: int, place: Place, mode: Mode, draft: Draft
) -> Completion:
    """Turn a draft into what may be shown, or into the reason why nothing is."""
    trimmed = trim(draft.text, place, mode, cut_short=draft.cut_short)
    end = offset + trimmed.replaced
    if not trimmed.text:
        return _nothing(offset, Reason(trimmed.reason), draft.trace, draft.stopped_by)
    if draft.logprob < MIN_LOGPROB:
        return _nothing(offset, Reason.LOW_CONFIDENCE, draft.trace, f"{draft.logprob:.2f}")
    text = await clean_part(snapshot, offset, end, trimmed.text)
    if not text:
        return _nothing(offset, Reason.PARSE, draft.trace)
    if text != trimmed.text:
        end = offset + contained(text, place.after) if closes(place.after) else offset
    return Completion(text, offset, end, Reason.SHOWN, draft.trace, draft.stopped_by)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def remember(snapshot: Snapshot, completion: Completion) -> Shown:
    """A suggestion with enough of its surroundings to know it again."""
    text, start, end = snapshot.text, completion.start, completion.end
    return Shown(
        uri=snapshot.uri,
        start=start,
        text=completion.text,
        left=text[max(start - KEPT_CHARS, 0) : start],
        right=text[end : end + KEPT_CHARS],
    )


def _nothing(
    offset: int, reason: Reason, trace: Trace | None = None, detail: str = ""
) -> Completion:
    return Completion("", offset, offset, reason, trace or Trace(), detail)


def _not_ready(offset: int, status: EngineStatus) -> Completion:
    reasons = {State.DOWN: Reason.DOWN, State.FAILED: Reason.FAILED}
    detail = str(status.error) if status.error else status.stage
    return _nothing(offset, reasons.get(status.state, Reason.LOADING), detail=detail)


def _failed(offset: int, error: FimbleError) -> Completion:
    match error:
        case EngineLoading():
            reason = Reason.LOADING
        case EngineDown():
            reason = Reason.DOWN
        case _:
            reason = Reason.FAILED
    return _nothing(offset, reason, detail=str(error))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
