"""The same tasks put to the bare model: one greedy answer in its own conversation, as it is.

It is asked once, in words; the first code block of its answer takes the place of the code that it
was asked about. A base model, which cannot be talked to, goes on with the text instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from fimble.engine.base import Engine
from fimble.engine.messages import Priority, Prompt
from fimble.measure.eval.act import Deed
from fimble.measure.eval.ask import Tick
from fimble.measure.eval.tasks import TaskRow
from fimble.prompt.chat import Message, chat_prompt

MAX_TOKENS: Final = 512
_MAIN: Final = re.compile(r"^(?:int|fn) main\s*\([^\n]*\{[ \t]*\n.*", re.DOTALL | re.MULTILINE)
"""What C++ and Rust programs end with: how the function is used, where the test has its own."""
_HEAD: Final = re.compile(r"^(?:#include|using namespace|use |fn main\(\)).*\n", re.MULTILINE)
"""Lines of these languages that an answer may well do without, as it is about a function."""
_BLOCK: Final = re.compile(r"```[^\n]*\n(.*?)(?:^```|\Z)", re.DOTALL | re.MULTILINE)


async def plain_rows(rows: Sequence[TaskRow], engine: Engine, tick: Tick) -> list[Deed]:
    """Ask a model that is loaded for all rows."""
    deeds: list[Deed] = []
    for row in rows:
        tick(len(deeds))
        deeds.append(await _plain(row, engine))
    tick(len(deeds))
    return deeds


async def _plain(row: TaskRow, engine: Engine) -> Deed:
    started = perf_counter()
    prompt = _asked(row, engine)
    text = ""
    async with engine.generate(
        prompt or Prompt((row.text[: row.piece_end],)),
        max_tokens=MAX_TOKENS,
        priority=Priority.ACTION,
    ) as generation:
        async for piece in generation:
            text += piece.text
            if text.count("```") > 1:
                break
    old = row.text[row.piece : row.piece_end]
    new = old + text if prompt is None else code_of(text, old)
    ms = (perf_counter() - started) * 1000
    if not new.strip():
        return Deed(None, said="empty", ms=ms)
    whole = row.text[: row.piece] + new + row.text[row.piece_end :]
    return Deed(whole, ((row.piece, row.piece_end, new),), ms=ms)


def _asked(row: TaskRow, engine: Engine) -> Prompt | None:
    info = engine.status.info
    if info is None:
        return None
    wrong = f" {row.message}" if row.message else ""
    piece = row.text[row.piece : row.piece_end]
    return chat_prompt((Message("user", f"{row.question}{wrong}\n\n```\n{piece}\n```"),), info)


def code_of(text: str, old: str) -> str:
    """Return the first code block of an answer, or all of one without, ending as ``old`` does.

    What ``old`` includes and the answer does not is put before it, and a `main` is left out: the
    benchmark's authors do so too, and else the answer would be lost for what nobody asked it.
    """
    found = _BLOCK.search(text)
    code = _MAIN.sub("", found[1] if found else text)
    known = "".join(code.split())  # They are spaced otherwise.
    head = "".join(line for line in _HEAD.findall(old) if "".join(line.split()) not in known)
    tail = old[len(old.rstrip()) :]
    return head + code.rstrip() + tail if code.strip() else ""
