"""Inline completion: from a cursor to a suggestion, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

from fimble.check.grow import Growth
from fimble.check.parse import clean_part
from fimble.check.place import Place, closes, look
from fimble.check.stop import LIMITS, Mode, Stopper
from fimble.check.trim import contained, trim
from fimble.engine.base import Engine, EngineStatus, Generation, Trace
from fimble.engine.messages import Piece, Priority, Sampling, State
from fimble.errors import EngineDown, EngineLoading, FimbleError
from fimble.features.early import Early
from fimble.features.gate import OPEN, Doubt, Evidence, doubt, sure_part, trust_in
from fimble.features.gate import written as pieces_of
from fimble.features.memory import Memory, Shown
from fimble.features.shape import allowed, choose_mode, excluded, splits_word
from fimble.features.windows import halved, warm_or_larger
from fimble.features.written import (
    KEPT_CHARS,
    Draft,
    Written,
    expected,
    follows,
    note,
    remaining,
    sides,
)
from fimble.source.lexical import Inside, inside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fimble.settings import Completion as CompletionSettings
    from fimble.settings import Settings
    from fimble.source.text import Snapshot


TYPED_ALONG: Final = "typed along"
"""The detail of an answer that needed no model."""


class Reason(StrEnum):
    """Why a request was answered as it was."""

    SHOWN = "shown"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    PARSE = "parse"
    LOW_CONFIDENCE = "low_confidence"
    MID_WORD = "mid_word"
    IN_COMMENT = "in_comment"
    IN_STRING = "in_string"
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
    never holds the user's text. ``doubt`` is what the gate judged a text by that the model wrote.
    ``goes_on`` says that the model is writing more lines of it.
    """

    text: str
    start: int
    end: int
    reason: Reason
    trace: Trace = field(default_factory=Trace)
    detail: str = ""
    doubt: Doubt | None = None
    goes_on: bool = False


async def complete(
    snapshot: Snapshot,
    offset: int,
    memory: Memory | None,
    engine: Engine,
    settings: Settings,
    *,
    priority: Priority = Priority.KEY_PRESS,
    manual: bool = False,
    branch: int = 0,
    stricter: float = 0.0,
    on_text: Callable[[str], None] = lambda _text: None,
    on_part: Callable[[Completion, Memory], None] | None = None,
) -> tuple[Completion, Memory]:
    """Answer one request; engine trouble is a reason and never an exception.

    Asked for by hand (``manual``) it may stand inside a word, be longer and unsure, and is made
    anew; ``branch`` is then the number of another candidate, less likely from 1 on. ``stricter``
    is what the user's habits add to the gate's threshold. ``on_text`` is told what the model has
    written so far, ``on_part`` the first lines of a block that takes long, once.
    """
    memory = memory or Memory()
    place, where = look(snapshot, offset), inside(snapshot, offset)
    if where is Inside.STRING:  # what looks like a comment there is more of the string
        place = replace(place, noted=False)
    if refusal := refuse(snapshot, place, where, settings, manual=manual):
        return _nothing(offset, refusal), memory
    if manual and not branch:  # who asks by hand wants to see something
        stricter = OPEN
    evidence = Evidence(
        mid_line=not (closes(place.after) or place.noted),
        at_end=not place.below,
        trust=trust_in(engine.status.info),
    )
    judge = partial(_judge, snapshot, offset, place, settings.completion, stricter, evidence)
    if not manual and (known := await _known(snapshot, offset, place, memory, judge)):
        return known
    mode = choose_mode(place, settings.completion, where=where, manual=manual)
    limit = min(LIMITS[mode].tokens, settings.completion.max_tokens * (2 if manual else 1))
    try:
        prompt, memory = await warm_or_larger(snapshot, offset, memory, engine)
        if prompt is None:
            return _not_ready(offset, engine.status), memory
        generation = engine.generate(
            prompt,
            max_tokens=limit,
            priority=priority,
            one_line=mode is Mode.LINE,
            sampling=Sampling(branch),
            guess=expected(snapshot, offset, memory.written),
        )
        stopper = Stopper(place, mode, Growth(snapshot, offset, place, mode))
        part = on_part if mode is not Mode.GAP else None  # its first line alone would not fit
        early = _early(snapshot, memory, engine, partial(judge, mode), part)
        draft = await _draft(generation, stopper, on_text, early)
    except FimbleError as error:
        layout = halved(snapshot, offset, memory.layout, error)
        if layout is None:
            return _failed(offset, error), memory
        again = partial(complete, priority=priority, manual=manual, branch=branch, on_text=on_text)
        again = partial(again, stricter=stricter, on_part=on_part)
        return await again(snapshot, offset, replace(memory, layout=layout), engine, settings)
    completion = await judge(mode, draft)
    written = note(snapshot, offset, mode, draft)
    return completion, _with(memory, snapshot, completion, written)


async def _known(
    snapshot: Snapshot,
    offset: int,
    place: Place,
    memory: Memory,
    judge: Callable[[Mode, Draft], Awaitable[Completion]],
) -> tuple[Completion, Memory] | None:
    """Answer without the model if what was typed is the beginning of what it wrote before."""
    texts: tuple[Shown | Written | None, ...] = (memory.shown, *memory.ahead, memory.written)
    for text in texts:
        if isinstance(text, Shown):
            if along := type_along(snapshot, offset, place, text):
                return along, replace(memory, shown=text)
        elif text is not None and (left := remaining(snapshot, offset, text)):
            completion = await judge(text.mode, left)
            if completion.reason is Reason.SHOWN:
                completion = replace(completion, detail=TYPED_ALONG)
            return completion, _with(memory, snapshot, completion, text)
    return None


def _with(memory: Memory, snapshot: Snapshot, completion: Completion, written: Written) -> Memory:
    """Remember a draft and, if it is shown, the suggestion made of it."""
    if completion.reason is not Reason.SHOWN:
        return replace(memory, written=written)
    return replace(memory, written=written, shown=remember(snapshot, completion))


def refuse(
    snapshot: Snapshot, place: Place, where: Inside, settings: Settings, *, manual: bool = False
) -> Reason | None:
    """Say why nothing may be suggested here at all, if so."""
    if not settings.enabled or excluded(snapshot, settings.completion):
        return Reason.DISABLED
    if splits_word(place) and not manual:
        return Reason.MID_WORD
    if not allowed(where, settings.completion) and not manual:
        return Reason.IN_COMMENT if where is Inside.COMMENT else Reason.IN_STRING
    return None


def type_along(snapshot: Snapshot, offset: int, place: Place, shown: Shown) -> Completion | None:
    """Answer with the rest of the last suggestion if what was typed since is its beginning.

    A closer that the editor added right of the cursor is replaced by the suggestion's own.
    """
    if not follows(snapshot, offset, shown):
        return None
    text = snapshot.text
    typed = text[shown.start : offset]
    rest = shown.text.removeprefix(typed)
    if not shown.text.startswith(typed) or not rest.strip():
        return None
    end = _end(offset, place, rest)
    if text[end : end + KEPT_CHARS] != shown.right:
        return None
    return Completion(rest, offset, end, Reason.SHOWN, detail=TYPED_ALONG)


def _early(
    snapshot: Snapshot,
    memory: Memory,
    engine: Engine,
    judge: Callable[[Draft], Awaitable[Completion]],
    on_part: Callable[[Completion, Memory], None] | None,
) -> Early | None:
    """Return who shows a block's first lines, if anybody wants to have them."""
    if on_part is None:
        return None

    def show(part: Completion) -> None:
        on_part(part, replace(memory, shown=remember(snapshot, part)))

    return Early(engine.status.profile, judge, show)


async def _draft(
    generation: Generation,
    stopper: Stopper,
    on_text: Callable[[str], None],
    early: Early | None,
) -> Draft:
    """Let the model write until a stop rule fires; leaving the block stops it in the worker."""
    pieces: list[Piece] = []
    async with generation:
        async for piece in generation:
            pieces.append(piece)
            enough = stopper.feed(piece.text)
            on_text(stopper.text)
            if enough:
                break
            if early is not None:
                await early.look(pieces, generation.trace)
    return Draft(
        pieces=tuple(pieces),
        cut_short=generation.reason == "length" and not stopper.reason,
        stopped_by=stopper.reason or generation.reason,
        trace=generation.trace,
    )


async def _judge(  # noqa: PLR0917  (all but the last two are bound once)
    snapshot: Snapshot,
    offset: int,
    place: Place,
    settings: CompletionSettings,
    stricter: float,
    evidence: Evidence,
    mode: Mode,
    draft: Draft,
) -> Completion:
    """Turn a draft into what may be shown, or into the reason why nothing is."""
    ended = draft.stopped_by == "stop"
    trimmed = trim(draft.text, place, mode, cut_short=draft.cut_short, ended=ended)
    if not trimmed.text:
        return _nothing(offset, Reason(trimmed.reason), draft.trace, draft.stopped_by)
    meets = trimmed.fills if evidence.mid_line else draft.stopped_by == "suffix"
    evidence = replace(evidence, meets=meets)
    sure, score = sure_part(
        trimmed.text, draft.pieces, settings.eagerness, evidence, stricter=stricter
    )
    if not sure or (trimmed.fills and sure != trimmed.text):  # half of it fills nothing
        return _nothing(offset, Reason.LOW_CONFIDENCE, draft.trace, f"{score:.2f}")
    end = offset + trimmed.replaced if sure == trimmed.text else _end(offset, place, sure)
    text = await clean_part(snapshot, offset, end, sure)
    if not text or (trimmed.fills and text != sure):
        return _nothing(offset, Reason.PARSE, draft.trace)
    end = end if text == sure else _end(offset, place, text)
    evidence = replace(evidence, meets=meets and sure == trimmed.text)
    about = doubt(pieces_of(sure, draft.pieces), evidence)
    return Completion(text, offset, end, Reason.SHOWN, draft.trace, draft.stopped_by, about)


def _end(offset: int, place: Place, text: str) -> int:
    """Return where what the text replaces ends: closers that it has itself."""
    return offset + contained(text, place.after) if closes(place.after) else offset


def remember(snapshot: Snapshot, completion: Completion) -> Shown:
    """A suggestion with enough of its surroundings to know it again."""
    start, end = completion.start, completion.end
    return Shown(snapshot.uri, start, completion.text, *sides(snapshot.text, start, end))


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
