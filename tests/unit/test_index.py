"""The workspace index: what it finds, what it reads again, and that it is private."""

import queue
import sqlite3
import stat
import time

import pytest

from fimble.prompt.asking import (
    About,
    AskAbout,
    AskNames,
    Done,
    Names,
    Open,
    Touched,
    Typing,
    Wait,
    Workspace,
    decode_answer,
)
from fimble.prompt.indexer import Indexer, serve
from fimble.prompt.library import Library
from fimble.prompt.retrieve import Spot
from goldens import LANGUAGES

PROJECT = {
    "app/main.py": "from geo.shapes import Circle\n\ncircle = Circle(2)\nprint(circle.",
    "geo/shapes.py": "class Circle:\n    def circumference(self) -> float:\n        return 1.0\n",
    "other/shapes.py": "class Circle:\n    def draw_on_paper(self, pen_colour):\n        pass\n",
    "app/report.py": "def report(canvas):\n    shape = Circle(7)\n    canvas.show(shape)\n",
    "tests/test_main.py": "def test_the_main_thing():\n    pass\n",
    "notes.md": "# Circle\n",
    "data.json": '{"Circle": 1}\n',
}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    for path, text in PROJECT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def library(root, **options):
    limits = {"exclude": (), "max_files": 1000, "max_bytes": 100_000} | options
    made = Library(root.parent / "cache" / "index", root, LANGUAGES, **limits)
    made.reads = []
    read = made._read
    made._read = lambda found: (made.reads.append(found.path), read(found))[1]
    for _ in made.scan():
        pass
    return made


def snippets_of(made, path, text=None, chars=2000, spots=()):
    """What is found for a cursor at the end of a file, in the order of the prompt."""
    text = text if text is not None else (made.root / path).read_text()
    made.take(path, LANGUAGES.for_path(path).id, text)
    return made.find(path, len(text), window=(0, len(text)), chars=chars, spots=spots)


def found(made, path, text=None, chars=2000):
    """The same by path; a file's last snippet counts."""
    return {one.path: one.text for one in snippets_of(made, path, text, chars)}


def test_the_definition_that_is_imported_comes_nearest_to_the_file(root):
    nearest = snippets_of(library(root), "app/main.py")[-1]
    assert nearest.path == "geo/shapes.py"
    assert nearest.text == PROJECT["geo/shapes.py"].replace("        return 1.0\n", "").rstrip()


def test_users_and_counterparts_are_found_and_prose_and_data_are_not(root):
    snippets = found(library(root), "app/main.py")
    assert {"app/report.py", "tests/test_main.py"} <= set(snippets)
    assert not {"notes.md", "data.json", "app/main.py"} & set(snippets)


def test_budget(root):
    snippets = found(library(root), "app/main.py", chars=120)
    assert sum(len(path) + len(text) + 2 for path, text in snippets.items()) <= 120


def test_a_restart_reads_only_what_changed(root):
    first = library(root)
    assert len(first.reads) == 5
    first.close()
    changed = root / "geo/shapes.py"
    changed.write_text("class Circle:\n    def radius_in_metres(self):\n        pass\n")
    (root / "other/shapes.py").unlink()
    second = library(root)
    assert second.reads == ["geo/shapes.py"]
    snippets = found(second, "app/main.py")
    assert "radius_in_metres" in snippets["geo/shapes.py"]
    assert "other/shapes.py" not in snippets


def test_what_an_editor_says_counts_until_it_is_closed(root):
    made = library(root)
    made.take("geo/shapes.py", "python", "class Circle:\n    def unsaved(self): pass\n")
    assert "unsaved" in found(made, "app/main.py")["geo/shapes.py"]
    assert not made.look_again("geo/shapes.py")
    made.give_back("geo/shapes.py")
    assert "circumference" in found(made, "app/main.py")["geo/shapes.py"]


def test_open_tabs_and_places_the_user_was_at_come_nearer_to_the_file(root):
    for name in ("one", "two"):
        text = f"def {name}(pencil, rubber, ruler):\n    return pencil + rubber + ruler\n"
        (root / f"{name}.py").write_text(text)
    made, text = library(root), "pencil, rubber, ruler = "

    def order(**options):
        return [one.path for one in snippets_of(made, "drawing.py", text, **options)]

    assert order() == ["two.py", "one.py"]
    made.take("two.py", "python", (root / "two.py").read_text())
    assert order() == ["one.py", "two.py"]
    spots = [Spot("app/report.py", 1)]
    assert order(spots=spots) == ["one.py", "app/report.py", "two.py"]


def test_new_deleted_and_ignored_files(root):
    made = library(root)
    (root / "geo/shapes.py").unlink()
    made.look_again("geo/shapes.py")
    assert "geo/shapes.py" not in found(made, "app/main.py")
    (root / ".gitignore").write_text("other/\n")
    assert made.look_again(".gitignore")
    for _ in made.scan():
        pass
    assert "other/shapes.py" not in found(made, "app/main.py")


def test_an_open_file_that_is_left_out_is_not_used(root):
    made = library(root)
    made.take(".env", "python", "class Circle:\n    def hidden(self): pass\n")
    assert found(made, "secrets.py", "circle = Circle(2)\n") == {}
    assert "hidden" not in str(found(made, "app/main.py"))


def test_a_key_in_an_open_file_stays_in_it(root):
    made = library(root)
    key = 'class Circle:\n    KEY = """-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n"""\n'
    made.take("geo/shapes.py", "python", key)
    snippets = snippets_of(made, "app/main.py", spots=[Spot("geo/shapes.py", 1)])
    assert snippets
    assert "geo/shapes.py" not in {one.path for one in snippets}
    made.take("geo/shapes.py", "python", PROJECT["geo/shapes.py"])
    assert "geo/shapes.py" in found(made, "app/main.py")


def test_an_open_file_is_forgotten_once_it_is_ignored(root):
    made = library(root)
    made.take("geo/shapes.py", "python", PROJECT["geo/shapes.py"])
    (root / ".gitignore").write_text("geo/\n")
    for _ in made.scan():
        pass
    made.take("geo/shapes.py", "python", PROJECT["geo/shapes.py"])
    assert "geo/shapes.py" not in found(made, "app/main.py")


def test_only_the_owner_may_read_it(root):
    made = library(root)
    made.take("a.py", "python", "x = 1\n")
    files = list((root.parent / "cache" / "index").iterdir())
    assert len(files) >= 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("damage", ["garbage", "version"])
def test_a_damaged_or_old_index_is_made_anew(root, damage):
    made = library(root)
    made.close()
    if damage == "garbage":
        made._index.file.write_bytes(b"no database " * 1000)
    else:
        db = sqlite3.connect(made._index.file)
        db.execute("PRAGMA user_version = 99")
        db.close()
    assert len(library(root).reads) == 5


def test_caps(root):
    assert library(root, max_files=2).count == 2
    (root / "app" / "large.py").write_text("x = 1\n" * 1000)
    made = library(root, max_bytes=1000)
    assert "app/large.py" in made.reads
    assert not made._index.outline("app/large.py")


def test_thousands_of_files_and_a_warm_restart(tmp_path):
    root = tmp_path / "project"
    for number in range(2000):
        file = root / f"package_{number % 40}" / f"module_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"def function_{number}(argument):\n    return argument + {number}\n")
    first = library(root, max_files=1500)
    assert first.count == 1500
    first.close()
    second = library(root, max_files=1500)
    assert second.reads == []
    text = "import module_17\n\nvalue = function_17("
    assert "def function_17(argument):" in found(second, "main.py", text).get(
        "package_17/module_17.py", ""
    )


class Sink:
    def __init__(self):
        self.answers = []

    def write(self, frame):
        self.answers.append(decode_answer(frame[4:]))

    def flush(self):
        pass


def served(*messages):
    """What an indexer answers to some messages."""
    sink, inbox = Sink(), queue.SimpleQueue()
    indexer = Indexer(sink)
    for message in (*messages, None):
        inbox.put(message)
    serve(indexer, inbox)
    while indexer.has_work:
        indexer.step()
    indexer.close()
    return sink.answers, indexer


def workspace(root):
    directory = str(root.parent / "cache")
    return Workspace(directory, (str(root),), exclude=(), max_files=100, max_bytes=10_000)


def test_the_process_tells_when_it_is_done(root):
    answers, _ = served(workspace(root), Wait(7))
    assert answers == [Done(0, 5), Done(7, 5)]


def test_many_files_at_once_are_a_new_scan(root):
    many = tuple(str(root / f"{number}.py") for number in range(600))
    answers, _ = served(workspace(root), Touched(many[:5]), Touched(many))
    assert answers == [Done(0, 5)]


@pytest.mark.parametrize(
    ("typed", "receiver", "names"),
    [
        ("C", None, [("Circle", "class")]),
        ("rep", None, [("report", "function")]),
        ("te", None, [("test_the_main_thing", "function")]),
        ("", None, [("Circle", "class")]),
        ("c", "circle", [("circumference", "method")]),
        ("", "circle", [("circumference", "method")]),
        ("draw", "circle", [("draw_on_paper", "method")]),
        ("", "shapes", [("Circle", "class"), ("circumference", "method")]),
        ("nothing", None, []),
    ],
)
def test_names_of_imported_files_come_first_then_others(root, typed, receiver, names):
    path = "app/main.py"
    opened = Open(str(root / path), "python", PROJECT[path])
    ask = AskNames(3, str(root / path), typed, receiver, limit=9)
    made, _ = served(workspace(root), Wait(1))
    assert made[-1] == Done(1, 5)
    answers, _ = served(workspace(root), opened, ask)
    assert answers[0] == Names(3, tuple(names))


def test_what_is_meant_is_imported_or_of_the_same_language(root):
    (root / "web.js").write_text("function paint() {}\nreport(circumference);\n")
    (root / "app/pen.py").write_text("def paint_all():\n    pass\n")
    text = "from geo.shapes import Circle\n"
    opened = Open(str(root / "app/new.py"), "python", text)
    served(workspace(root), Wait(1))
    ask = AskAbout(3, str(root / "app/new.py"), ("paint", "paint_all", "Circle"), ("report",))
    answers, _ = served(workspace(root), opened, ask)
    [about] = [one for one in answers if isinstance(one, About)]
    # What is imported comes first, whatever the order of the names.
    assert [one.path for one in about.definitions] == ["geo/shapes.py", "app/pen.py"]
    assert about.uses == ()


CIRCLE = "class Circle:\n    def circumference(self) -> float:"


@pytest.mark.parametrize(
    ("path", "names", "defined", "uses"),
    [
        # Of two classes the one that is imported is meant.
        ("app/main.py", ("Circle",), {"geo/shapes.py": CIRCLE}, ["shape = Circle(7)"]),
        ("app/report.py", ("Circle",), {}, ["circle = Circle(2)"]),
        ("app/report.py", ("circumference",), {"geo/shapes.py": CIRCLE}, []),
        # What a file defines itself is meant, and a definition is no use.
        ("app/report.py", ("report",), {}, []),
        (
            "app/main.py",
            ('a" OR "Circle', "nothing", ""),
            {"geo/shapes.py": CIRCLE},
            ["shape = Circle(7)"],
        ),
        ("app/main.py", (), {}, []),
    ],
)
def test_what_other_files_say_of_names(root, path, names, defined, uses):
    opened = Open(str(root / path), LANGUAGES.for_path(path).id, PROJECT[path])
    served(workspace(root), Wait(1))
    answers, _ = served(workspace(root), opened, AskAbout(3, str(root / path), names, names))
    [about] = [one for one in answers if isinstance(one, About)]
    assert {one.path: one.text for one in about.definitions} == defined
    assert sorted(set(about.uses)) == uses


def test_files_of_no_folder_are_nobodys(root):
    answers, _ = served(workspace(root), Open("/elsewhere/a.py", "python", "x"), Touched(("/b",)))
    assert answers == [Done(0, 5)]


def test_it_rests_while_somebody_types(root):
    _, indexer = served(workspace(root), Typing())
    assert indexer.rest_until > time.monotonic()


def test_a_folder_that_cannot_be_kept_is_none(root, monkeypatch):
    (root.parent / "cache").write_text("a file\n")
    answers, _ = served(workspace(root), Wait(1))
    assert answers[-1] == Done(1, 0)
