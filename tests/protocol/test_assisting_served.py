"""Actions in words as editors see them: offered to models that follow instructions, and shown."""

import copy
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from fimble.check import sandbox
from fimble.protocol.client import CAPABILITIES, ServerFailure

URI = "file:///a.py"
TEXT = "def add(a, b):\n    return a + b\n"
CHAT = "{% for m in messages %}<u>{{ m.content }}</u>{% endfor %}<a>"
KINDS = "refactor.rewrite.fimble."
BEGUN = "```python\n"
ANSWERS = {
    "": "## What it does\n\nAdds.",
    BEGUN: "def add(a, b):\n    return b + a\n```",
    '"""': 'Add two numbers."""\n',
    f"{BEGUN}def add(a, b):\n": "    return sum((a, b))\n```",
    "def add(": "a: int, b: int) -> int:\n",
}


async def opened(editor, **options):
    await editor.initialize(**options)
    editor.open(URI, TEXT)
    await editor.flush()


def place(editor, start, end, **more):
    """The argument of a command."""
    snapshot = editor.documents[URI]
    return {"uri": URI, "range": editor.range(snapshot, start, end), **more}


async def command(editor, name, argument):
    params = {"command": name, "arguments": [argument], "workDoneToken": "mine"}
    await editor.request("workspace/executeCommand", params)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("document", 'def add(a, b):\n    """Add two numbers."""\n    return a + b\n'),
        ("optimize", "def add(a, b):\n    return sum((a, b))\n"),
        ("types", "def add(a: int, b: int) -> int:\n    return a + b\n"),
        ("custom.turn-it", "def add(a, b):\n    return b + a\n"),
    ],
)
async def test_an_action_edits_the_function(scripted, kind, expected):
    custom = [{"name": "Turn it", "prompt": "Turn {name} around."}]
    options = {"actions": {"custom": custom, "checkers": {"python": []}}}
    async with scripted(ANSWERS, chat_template=CHAT) as editor:
        await opened(editor, options=options)
        [action] = await editor.code_actions(URI, 4, 4, only=[KINDS + kind])
        resolved = await editor.request("codeAction/resolve", action)
        editor.apply(resolved["edit"])
        assert editor.text(URI) == expected


async def test_a_base_model_is_not_offered_what_it_cannot_do(scripted):
    async with scripted(ANSWERS) as editor:
        await opened(editor)
        actions = await editor.code_actions(URI, 4, 4)
        assert {action["kind"] for action in actions} == {
            f"{KINDS}document",
            "source.fimble.review",
        }
        await command(editor, "fimble.instruct", place(editor, 0, 0, instruction="turn it around"))
        assert any("instruct model" in message for message in editor.messages)
        assert editor.text(URI) == TEXT


async def test_an_instruction_is_carried_out(scripted):
    async with scripted(ANSWERS, chat_template=CHAT) as editor:
        await opened(editor)
        await command(editor, "fimble.instruct", place(editor, 0, 0, instruction="turn it around"))
        assert editor.text(URI) == "def add(a, b):\n    return b + a\n"


async def test_who_can_ask_finds_it_in_the_menu(scripted):
    """The client puts the answer into the data, which is carried out by a command."""
    can = {**CAPABILITIES, "experimental": {"fimble": {"ask": True}}}
    async with scripted(ANSWERS, chat_template=CHAT, capabilities=can) as editor:
        await opened(editor)
        [action] = await editor.code_actions(URI, 4, 4, only=[KINDS + "instruct"])
        assert (action["title"], action["command"]["command"]) == ("Edit as you say…", "fimble.ask")
        assert "data" not in action
        data, asks, title = action["command"]["arguments"]
        assert title == action["title"]
        await command(editor, "fimble.act", {**data, "options": {asks: "turn it around"}})
        assert editor.text(URI) == "def add(a, b):\n    return b + a\n"


async def test_an_explanation_is_a_private_file(scripted, environment):
    async with scripted(ANSWERS, chat_template=CHAT) as editor:
        await opened(editor)
        await command(editor, "fimble.explain", place(editor, 0, 0))
        [uri] = editor.shown
        assert_private(Path(unquote(urlsplit(uri).path)), environment["FIMBLE_CACHE_DIR"])
        assert editor.text(URI) == TEXT
        stages = [one.get("message") for one in editor.progress]
        assert "What it does" in stages or "Adds." in stages


def assert_private(path, directory):
    assert path.read_text(encoding="utf-8") == f"{ANSWERS['']}\n"
    assert path.is_relative_to(directory)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_is_translated_into_a_new_one(scripted, tmp_path):
    async with scripted({"```go\n": "package a\n```"}, chat_template=CHAT) as editor:
        await editor.initialize()
        uri = (tmp_path / "one file.py").as_uri()
        editor.open(uri, TEXT)
        await editor.flush()
        wish = {"uri": uri, "range": editor.range(editor.documents[uri], 0, 0), "to": "go"}
        await command(editor, "fimble.translate", wish)
        assert editor.text((tmp_path / "one file.go").as_uri()) == "package a\n"


async def test_a_selection_is_translated_and_shown(scripted):
    async with scripted({"```go\n": "var a = 1\n```"}, chat_template=CHAT) as editor:
        await opened(editor)
        await command(editor, "fimble.translate", place(editor, 0, 5, to="go"))
        assert len(editor.shown) == 1
        await command(editor, "fimble.translate", place(editor, 0, 5, to="gibberish"))
        assert any("not known" in message for message in editor.messages)


async def test_what_can_be_translated_into_is_told(scripted):
    async with scripted() as editor:
        await editor.initialize()
        languages = await editor.request("fimble/languages", {})
        assert {"id": "csharp", "name": "C#"} in languages
        assert {"id": "shellscript", "name": "Bash"} in languages
        assert "JSON" not in [one["name"] for one in languages]


async def test_without_documents_it_is_a_message(scripted):
    can = copy.deepcopy(dict(CAPABILITIES))
    del can["window"]["showDocument"]
    async with scripted(ANSWERS, chat_template=CHAT, capabilities=can) as editor:
        await opened(editor)
        await command(editor, "fimble.explain", place(editor, 0, 0))
        assert ANSWERS[""] in editor.messages
        assert editor.shown == []


SOMEWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}


@pytest.mark.parametrize(
    "argument",
    [None, {}, {"uri": URI}, {"uri": "file:///b.py", "range": SOMEWHERE}],
)
async def test_garbage_is_refused(scripted, argument):
    async with scripted(ANSWERS, chat_template=CHAT) as editor:
        await opened(editor)
        with pytest.raises(ServerFailure) as failure:
            await command(editor, "fimble.instruct", argument)
        assert failure.value.code == -32602


async def with_tests(editor, root, **options):
    """Resolve the action that writes tests for `add`, in a folder of its own."""
    await editor.initialize(root, **options)
    uri = (root / "sums.py").as_uri()
    (root / "sums.py").write_text(TEXT)
    editor.open(uri, TEXT)
    await editor.flush()
    [action] = await editor.code_actions(uri, 4, 4, only=[KINDS + "test"])
    assert action["title"] == "Write tests for add"
    return await editor.request("codeAction/resolve", action)


TESTED = "two():\n    assert add(1, 2) == 3\n\n\ndef test_wrong():\n    assert add(1, 1) == 3\n```"
TESTS = {"def test_add_": TESTED}
IMPORT = "from sums import add\n\n\n"


async def test_tests_are_a_new_file(scripted, tmp_path):
    async with scripted(TESTS, chat_template=CHAT) as editor:
        resolved = await with_tests(editor, tmp_path, options={"verify": {"execute": "never"}})
        create, change = resolved["edit"]["documentChanges"]
        uri = (tmp_path / "tests" / "test_sums.py").as_uri()
        assert (create["kind"], create["uri"]) == ("create", uri)
        assert change["textDocument"] == {"uri": uri, "version": None}
        editor.apply(resolved["edit"])
        assert editor.text(uri) == f"{IMPORT}def test_add_{TESTED.removesuffix('```')}"


async def test_tests_are_added_to_a_file(scripted, tmp_path):
    there = tmp_path / "tests" / "test_sums.py"
    there.parent.mkdir()
    there.write_text("from sums import sub\n\n\ndef test_sub():\n    assert sub(1, 1) == 0\n")
    async with scripted(TESTS, chat_template=CHAT) as editor:
        resolved = await with_tests(editor, tmp_path, options={"verify": {"execute": "never"}})
        [change] = resolved["edit"]["documentChanges"]
        assert change["textDocument"]["uri"] == there.as_uri()
        places = [one["range"]["start"]["line"] for one in change["edits"]]
        assert places == [1, 4]
        assert change["edits"][0]["newText"] == "from sums import add\n"


async def test_who_creates_files_takes_document_changes(scripted, tmp_path):
    can = copy.deepcopy(dict(CAPABILITIES))
    can["workspace"]["workspaceEdit"] = {"resourceOperations": ["create"]}
    async with scripted(TESTS, chat_template=CHAT, capabilities=can) as editor:
        resolved = await with_tests(editor, tmp_path, options={"verify": {"execute": "never"}})
        assert resolved["edit"]["documentChanges"][0]["kind"] == "create"


async def test_a_client_that_cannot_create_files_shows_them(scripted, tmp_path):
    can = copy.deepcopy(dict(CAPABILITIES))
    can["workspace"]["workspaceEdit"] = {"documentChanges": True}
    async with scripted(TESTS, chat_template=CHAT, capabilities=can) as editor:
        resolved = await with_tests(editor, tmp_path, options={"verify": {"execute": "never"}})
        assert "edit" not in resolved
        assert len(editor.shown) == 1
        assert any("cannot create files" in message for message in editor.messages)


QUESTION = "window/showMessageRequest"


@pytest.mark.parametrize(("answer", "kept"), [("Allow", 1), ("Never", 2), ("Not now", 2)])
async def test_it_is_asked_once_whether_code_may_run(scripted, tmp_path, environment, answer, kept):
    if not await sandbox.available():
        pytest.skip("code cannot be run apart from everything else here")
    root = tmp_path / "project"
    root.mkdir()
    (root / "fimble.toml").write_text('verify.execute = "always"\n')
    answers = {QUESTION: {"result": {"title": answer}}}
    for number in range(2):
        async with scripted(TESTS, chat_template=CHAT) as editor:
            editor.answers |= answers
            resolved = await with_tests(editor, root)
            _, change = resolved["edit"]["documentChanges"]
            assert change["edits"][0]["newText"].count("def test_") == kept
            left_out = [one for one in editor.messages if "left out" in one]
            assert len(left_out) == (1 if kept == 1 else 0)
            assert editor.asked.count(QUESTION) == (number == 0 or answer == "Not now")
    folder = Path(environment["FIMBLE_CACHE_DIR"]) / "permissions"
    files = list(folder.glob("*"))
    assert len(files) == (0 if answer == "Not now" else 1)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert [one.name for one in root.iterdir() if one.name != "sums.py"] == ["fimble.toml"]
