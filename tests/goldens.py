"""Text cases: sources with a cursor mark, what the model says, and what must come of it.

    === a name | file.py [| crlf]
    def add(a, b):
        ret█
    --- model
    urn a + b
    --- shows
    def add(a, b):
        ret«urn a + b»

The suggestion stands between « and » in the text as it would be; a reason in brackets means that
nothing is shown. `pytest --update` rewrites the last section.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from fimble.source.languages import Languages
from fimble.source.text import Snapshot

CASES = Path(__file__).parent / "cases"
CURSOR = "█"
LANGUAGES = Languages.load()


@dataclass(frozen=True)
class Case:
    path: Path
    head: str
    source: str
    model: str
    shows: str

    @property
    def id(self):
        return f"{self.path.stem}: {self.head.partition(' | ')[0]}"

    @property
    def text(self):
        return self.source.replace("\n", "\r\n") if self.head.endswith("| crlf") else self.source

    def snapshot(self):
        """The parsed source without the mark, and where the mark stood."""
        return snapshot_of(self.head.split(" | ")[1], self.text)

    def expect(self, got, update):
        if update and got != self.shows:
            old, new = f"--- shows\n{self.shows}\n", f"--- shows\n{got}\n"
            content = self.path.read_text(encoding="utf-8")
            head = f"=== {self.head}\n{self.source}\n--- model\n{self.model}\n"
            assert head + old in content
            self.path.write_text(content.replace(head + old, head + new), encoding="utf-8")
        else:
            assert got == self.shows


def snapshot_of(name, marked):
    """A parsed snapshot of ``marked`` without its cursor mark, and the mark's offset."""
    offset = marked.index(CURSOR)
    text = marked.replace(CURSOR, "")
    uri = f"file:///home/someone/project/{name}"
    language = LANGUAGES.for_document("", uri)
    return Snapshot.open(uri, 1, language, text).parse(LANGUAGES.grammar(language)), offset


def show(snapshot, start, end, new_text):
    text = snapshot.text
    shown = f"{text[:start]}«{new_text}»{text[end:]}"
    if snapshot.newline == "\r\n":
        assert not re.search(r"(?<!\r)\n", shown), "a bare line feed in a CRLF file"
    return shown.replace("\r\n", "\n")


def load(folder):
    return [case for path in sorted((CASES / folder).glob("*.txt")) for case in _read(path)]


def _read(path):
    content = path.read_text(encoding="utf-8")
    for block in re.split(r"^=== ", content, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        source, model, shows = re.split(r"^--- (?:model|shows)\n", body, flags=re.MULTILINE)
        yield Case(path, head, *(part.removesuffix("\n") for part in (source, model, shows)))
