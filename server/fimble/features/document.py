"""Write the documentation of a definition, or what is missing of it, as its language has it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.check.place import indent
from fimble.features.offer import Look, Offer, Outcome, Task
from fimble.features.orders import MAX_CODE, order
from fimble.features.writing import answers, infill, is_sound, with_newlines
from fimble.source.around import (
    Definition,
    comment_around,
    enclosing,
    lexical,
    line_start,
    stub_of,
)
from fimble.source.edits import Edit
from fimble.source.languages import DocComment, DocPlace

if TYPE_CHECKING:
    from fimble.engine.messages import Prompt
    from fimble.source.languages import Languages
    from fimble.source.text import Snapshot

KIND: Final = "refactor.rewrite.fimble.document"
MAX_TOKENS: Final = 224
MAX_WIDTH: Final = 88
"""Columns that a line of documentation may have, its indentation included."""
NOTHING: Final = "The model wrote no documentation that fits."
_VALUES: Final = ("variable", "constant")
_ATTRIBUTE: Final = re.compile(r"\s*(?:#!?\[|@\w)")
"""What may stand between documentation and its definition."""
_TAG: Final = re.compile(r"^\s*(?:@param|:param|- Parameter)\b(.*)$", re.MULTILINE)
_SECTION: Final = re.compile(r"^([ \t]*)Args:\n((?:\1[ \t]+.*\n?)+)", re.MULTILINE)
_ENTRY: Final = re.compile(r"^[*]*(\w+)(?: \(.*?\))?:", re.MULTILINE)
_TAG_WORDS: Final = 3
"""Words of a tag among which the parameter's name is: its type may come first."""


@dataclass(frozen=True, slots=True)
class Doc:
    """Where documentation belongs.

    ``start`` to ``end`` is what is replaced: nothing, or the end of what is there, whose words are
    in ``kept``. ``space`` is the indentation.
    """

    definition: Definition
    form: DocComment
    start: int
    end: int
    space: str
    kept: str = ""

    @property
    def prefix(self) -> str:
        """What each line begins with."""
        return self.space + self.form.line


def offers(look: Look) -> Iterator[Offer]:
    """Offer it for the definition around the range, unless it is still to be written."""
    definition = enclosing(look.snapshot, look.languages, look.start, look.end)
    doc = None if definition is None else _doc(look.snapshot, look.languages, definition)
    if definition is None or doc is None or stub_of(look.snapshot, look.languages, definition):
        return
    start = "Complete the documentation of" if doc.kept else "Document"
    yield Offer(KIND, f"{start} {definition.name}", definition.start, definition.end)


async def make(task: Task) -> Outcome:
    """Write documentation that names no parameter that does not exist; code stays as it is."""
    snapshot = task.snapshot
    definition = enclosing(snapshot, task.languages, task.offer.start, task.offer.start)
    doc = None if definition is None else _doc(snapshot, task.languages, definition)
    if definition is None or doc is None:
        return Outcome(message=NOTHING)
    task.report("writing", 0.1)
    prompt = _chat(task, doc) or _fim(task, doc)
    head = snapshot.text[definition.start : definition.body_start]
    async for text in answers(
        task, (prompt,), MAX_TOKENS, lambda text: _cut(doc, text) is not None
    ):
        lines = _lines(doc, text)
        words = "\n".join(lines)
        if not re.search(r"[^\W\d_]", words) or words.strip() in doc.kept:
            continue
        if _invents(words, head):
            continue
        edit = Edit(doc.start, doc.end, with_newlines(snapshot, _written(doc, lines)))
        if await is_sound(snapshot, edit):
            return Outcome((edit,))
    return Outcome(message=NOTHING)


def _doc(snapshot: Snapshot, languages: Languages, definition: Definition) -> Doc | None:
    """Return where the documentation is or should be; None where there can be none."""
    form = snapshot.language.doc_comment
    if form is None or definition.kind in _VALUES:
        return None
    if form.place is DocPlace.INSIDE:
        return _inside(snapshot, languages, definition, form)
    return _above(snapshot, languages, definition, form)


def _inside(
    snapshot: Snapshot, languages: Languages, definition: Definition, form: DocComment
) -> Doc | None:
    text, first = snapshot.text, definition.body_start
    place = line_start(snapshot, first)
    if first == definition.body_end or text[place:first].strip():
        return None
    space = text[place:first]
    span = next(iter(lexical(snapshot, languages, first, first + 1)), None)
    if span is None or span.kind == "comment" or span.start != first:
        return Doc(definition, form, place, place, space)
    return _existing(snapshot, Doc(definition, form, span.start, span.end, space))


def _above(
    snapshot: Snapshot, languages: Languages, definition: Definition, form: DocComment
) -> Doc | None:
    line = snapshot.line_of(definition.start)
    space = indent(snapshot.line_text(line))
    while line and _ATTRIBUTE.match(snapshot.line_text(line - 1)):
        line -= 1
    place = snapshot.line_starts[line]
    above = line and snapshot.line_starts[line - 1] + len(indent(snapshot.line_text(line - 1)))
    comment = comment_around(snapshot, languages, above, above) if line else None
    if comment is None or snapshot.line_of(comment[1]) != line - 1:
        return Doc(definition, form, place, place, space)
    start = comment[0] + len(indent(snapshot.text[comment[0] : comment[1]]))
    if not snapshot.text.startswith((form.open or form.line).strip(), start):
        return Doc(definition, form, place, place, space)
    return _existing(snapshot, Doc(definition, form, start, comment[1], space))


def _existing(snapshot: Snapshot, doc: Doc) -> Doc | None:
    """Return the place behind the last word of documentation that is there, which is kept."""
    text = snapshot.text[doc.start : doc.end].rstrip()
    opening, closing = doc.form.open.strip(), doc.form.close.strip()
    if not (text.startswith(opening) and text.endswith(closing)):
        return None
    kept = text.removesuffix(closing).rstrip(" \t\r\n")
    return Doc(
        doc.definition, doc.form, doc.start + len(kept), doc.start + len(text), doc.space, kept
    )


def _begun(doc: Doc) -> str:
    """Return how documentation begins, up to where the model goes on."""
    if doc.kept:
        return f"{doc.kept}\n{doc.prefix.rstrip()}\n{doc.prefix}"
    if doc.form.place is DocPlace.INSIDE:
        return doc.form.open
    return f"{doc.form.open}\n{doc.prefix}" if doc.form.open else doc.form.line


def _chat(task: Task, doc: Doc) -> Prompt | None:
    """Ask for it in words, with the beginning of the answer given."""
    text, definition = task.snapshot.text, doc.definition
    code = text[definition.start : definition.end][:MAX_CODE]
    head = text[definition.start : definition.body_start].rstrip()
    begin = doc.space + _begun(doc)
    if doc.form.place is DocPlace.INSIDE:
        begin = f"{head}\n{begin}"
    name, custom = task.snapshot.language.name, doc.form.custom
    words = f"Document this {name} {definition.kind}: {custom}. Be brief."
    return order(task, words, code, begin)


def _fim(task: Task, doc: Doc) -> Prompt:
    """Ask for what is missing in the file."""
    begun = _begun(doc)
    lead = begun.removeprefix(doc.kept) if doc.kept else doc.space + begun
    lead = with_newlines(task.snapshot, lead)
    return infill(task.snapshot, doc.start, doc.end, task.engine, lead=lead)


def _cut(doc: Doc, text: str) -> str | None:
    """Return what is documentation at the beginning of an answer; None if its end is not there."""
    if doc.form.close:
        inside, closing, _ = text.partition(doc.form.close.strip())
        return inside if closing else None
    mark = doc.form.line.strip()
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        is_whole = len(line.strip()) >= len(mark) or number < len(lines) - 1
        if is_whole and not line.strip().startswith(mark):
            return "\n".join(lines[:number])
    return None


def _lines(doc: Doc, text: str) -> list[str]:
    """Return the lines that the model wrote, bare, none of them too long."""
    cut = _cut(doc, f"{text}\n\n")
    if cut is None or ("\\" in cut and doc.form.place is DocPlace.INSIDE):
        return []
    mark = doc.form.line.strip()
    first, *rest = cut.strip().split("\n")
    if mark:
        rest = [re.sub(rf"^\s*{re.escape(mark)} ?", "", line) for line in rest]
    else:
        rest = textwrap.dedent("\n".join(rest)).split("\n") if rest else []
        rest = _sections("\n".join((first, *rest))).split("\n")[1:]
    limit = max(MAX_WIDTH - len(doc.prefix.expandtabs(4)), MAX_WIDTH // 2)
    return [part for line in (first, *rest) for part in _wrapped(line.rstrip(), limit)]


def _sections(text: str) -> str:
    """Indent what stands below a heading such as `Args:`, as small models forget to do."""

    def section(match: re.Match[str]) -> str:
        return match[1] + textwrap.indent(match[2], "    ")

    return re.sub(r"^(\w+:\n)((?:\S.*(?:\n|$))+)", section, text, flags=re.MULTILINE)


def _wrapped(line: str, limit: int) -> list[str]:
    if len(line) <= limit:
        return [line]
    return textwrap.wrap(
        line, limit, subsequent_indent=indent(line), break_long_words=False, break_on_hyphens=False
    )


def _invents(words: str, head: str) -> bool:
    """Tell whether documentation names a parameter that the definition does not have."""
    known = set(re.findall(r"\w+", head))
    tags = (re.findall(r"\w+", rest)[:_TAG_WORDS] for rest in _TAG.findall(words))
    if any(known.isdisjoint(tag) for tag in tags):
        return True
    sections = (textwrap.dedent(section) for _, section in _SECTION.findall(words))
    return any(name not in known for part in sections for name in _ENTRY.findall(part))


def _written(doc: Doc, lines: list[str]) -> str:
    """Return the text of the edit."""
    body = "\n".join(f"{doc.prefix}{line}".rstrip() for line in lines)
    closing = f"\n{doc.space}{doc.form.close}" if doc.form.close else ""
    if doc.kept:
        return f"\n{doc.prefix.rstrip()}\n{body}{closing}"
    if doc.form.place is DocPlace.ABOVE:
        opening = f"{doc.space}{doc.form.open}\n" if doc.form.open else ""
        return f"{opening}{body}{closing}\n"
    if len(lines) == 1:
        closing = doc.form.close
    return f"{doc.space}{doc.form.open}{body.lstrip()}{closing}\n"
