"""Code actions as editors see them: listed, resolved, applied, cancelled, refused."""

import copy

import pytest

from fimble.protocol.client import CAPABILITIES, ServerFailure

URI = "file:///a.py"
STUB = "import os\n\n\ndef add(a, b):\n    pass\n\n\nx = 1\n"
DONE = STUB.replace("pass", "return a + b")
ANSWERS = {"    ": "return a + b\n\n\n"}
IMPLEMENT = "refactor.rewrite.fimble.implement"
NEVER_MS = 3_600_000
INVALID, CANCELLED = -32602, -32800


def capabilities(**code_action):
    """What an editor can do, with other code actions."""
    made = copy.deepcopy(dict(CAPABILITIES))
    made["textDocument"]["codeAction"] = code_action
    return made


async def opened(editor, text=STUB):
    await editor.initialize()
    editor.open(URI, text)
    await editor.flush()
    at = text.index("add")
    return await editor.code_actions(URI, at, at, only=["refactor"])


async def test_an_action_is_listed_and_resolved(scripted):
    async with scripted(ANSWERS) as editor:
        [action] = await opened(editor)
        assert (action["kind"], action["title"]) == (IMPLEMENT, "Implement add")
        assert "edit" not in action
        assert {} not in action["data"].values()
        resolved = await editor.request("codeAction/resolve", action)
        [change] = resolved["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": URI, "version": 1}
        assert [edit["newText"] for edit in change["edits"]] == ["return a + b"]
        editor.apply(resolved["edit"])
        assert editor.text(URI) == DONE
        kinds = [one["kind"] for one in editor.progress]
        assert (kinds[0], kinds[-1]) == ("begin", "end")
        # There was nothing to verify it by.
        assert not editor.progress[-1].get("message")
        assert resolved["data"] == action["data"]
        assert editor.server_capabilities["codeActionProvider"]["resolveProvider"]


@pytest.mark.parametrize(
    "can",
    [
        {},
        {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}},
    ],
)
async def test_a_client_that_cannot_resolve_gets_a_command(scripted, can):
    async with scripted(ANSWERS, capabilities=capabilities(**can)) as editor:
        [action] = await opened(editor)
        command = action["command"] if can else action
        params = {"command": command["command"], "arguments": command["arguments"]}
        await editor.request("workspace/executeCommand", params | {"workDoneToken": "mine"})
        assert editor.text(URI) == DONE
        assert {one["token"] for one in editor.progress} == {"mine"}


async def test_only_the_wanted_kinds_are_listed(scripted):
    async with scripted(ANSWERS) as editor:
        await opened(editor)
        at = STUB.index("add")
        assert await editor.code_actions(URI, at, at, only=["quickfix"]) == []
        [one] = await editor.code_actions(URI, at, at, only=["refactor.rewrite"], triggerKind=2)
        assert one["kind"] == IMPLEMENT


async def test_an_edit_elsewhere_moves_the_action(scripted):
    async with scripted(ANSWERS) as editor:
        [action] = await opened(editor)
        editor.edit(URI, 0, 0, "import re\n")
        resolved = await editor.request("codeAction/resolve", action)
        editor.apply(resolved["edit"])
        assert editor.text(URI) == "import re\n" + DONE


async def test_an_edit_at_the_place_refuses_the_action(scripted):
    async with scripted(ANSWERS) as editor:
        [action] = await opened(editor)
        at = STUB.index("pass")
        editor.edit(URI, at, at, "x = 1\n    ")
        resolved = await editor.request("codeAction/resolve", action)
        assert resolved.get("edit") is None
        await editor.until(lambda one: bool(one.messages))
        [message] = editor.messages
        assert "has changed" in message


@pytest.mark.parametrize(
    "data",
    [
        None,
        "x",
        {"uri": URI},
        {"uri": URI, "version": 1, "kind": IMPLEMENT, "start": -1, "end": 2},
        {"uri": URI, "version": 1, "kind": IMPLEMENT, "start": 5, "end": 2},
        {"uri": URI, "version": 1, "kind": IMPLEMENT, "start": 0, "end": 10**6},
        {"uri": URI, "version": 1, "kind": "quickfix.other", "start": 0, "end": 2},
        {"uri": "file:///other.py", "version": 1, "kind": IMPLEMENT, "start": 0, "end": 2},
        {"uri": URI, "version": 1, "kind": IMPLEMENT, "start": 0, "end": 2, "x": 1},
    ],
)
async def test_garbage_is_refused(scripted, data):
    async with scripted(ANSWERS) as editor:
        [action] = await opened(editor)
        with pytest.raises(ServerFailure) as failure:
            await editor.request("codeAction/resolve", action | {"data": data})
        assert failure.value.code == INVALID


async def test_a_request_can_be_cancelled(scripted):
    async with scripted(ANSWERS, delay_ms=NEVER_MS) as editor:
        [action] = await opened(editor)
        number, answer = editor.ask("codeAction/resolve", action)
        await editor.until(lambda one: one.progress)
        editor.notify("$/cancelRequest", {"id": number})
        with pytest.raises(ServerFailure) as failure:
            await editor.wait(answer)
        assert failure.value.code == CANCELLED
        await editor.until(lambda one: one.progress[-1]["kind"] == "end")


async def test_the_progress_bar_can_cancel(scripted):
    async with scripted(ANSWERS, delay_ms=NEVER_MS) as editor:
        [action] = await opened(editor)
        _, answer = editor.ask("codeAction/resolve", action)
        await editor.until(lambda one: one.progress)
        token = editor.progress[0]["token"]
        editor.notify("window/workDoneProgress/cancel", {"token": token})
        with pytest.raises(ServerFailure) as failure:
            await editor.wait(answer)
        assert failure.value.code == CANCELLED


async def test_nothing_that_fits_is_said(scripted):
    async with scripted({"    ": "return (a"}) as editor:
        [action] = await opened(editor)
        resolved = await editor.request("codeAction/resolve", action)
        assert "edit" not in resolved
        assert any("nothing" in message for message in editor.messages)


async def test_a_fix_is_about_its_diagnostic(scripted):
    text = "def f(a:\n    return a\n"
    async with scripted({"# after:\n": "def add(a):\n"}) as editor:
        await opened(editor, text.replace("f", "add"))
        place = editor.range(editor.documents[URI], 7, 8)
        told = {"range": place, "message": "'(' was never closed", "severity": 1}
        fix, *_ = await editor.code_actions(URI, 7, 7, diagnostics=[told])
        assert fix["kind"] == "quickfix.fimble"
        assert fix["title"] == "Fix: '(' was never closed"
        assert fix["diagnostics"] == [told]
        assert "isPreferred" not in fix
        # The parser says that it is mended.
        resolved = await editor.request("codeAction/resolve", fix)
        editor.apply(resolved["edit"])
        assert editor.text(URI) == "def add(a):\n    return a\n"
        assert resolved["isPreferred"]
        assert resolved["data"] == {"verified": True}
        assert editor.progress[-1]["message"] == "It was checked."


async def test_a_fix_knows_the_line_that_a_diagnostic_points_to(scripted):
    """Of a message such as "declared here" the place says all."""
    text = "limit = 9\nadd = limit()\n"
    hint = "# wrong: declared here: limit = 9\n# before: add = limit()\n# after:\n"
    async with scripted({hint: "add = limit\n"}) as editor:
        await opened(editor, text)
        first, second = (editor.range(editor.documents[URI], at, at) for at in (0, 12))
        related = [{"location": {"uri": URI, "range": first}, "message": "declared here"}]
        told = {"range": second, "message": "no function", "relatedInformation": related}
        fix, *_ = await editor.code_actions(URI, 12, 12, diagnostics=[told])
        resolved = await editor.request("codeAction/resolve", fix)
        editor.apply(resolved["edit"])
        assert editor.text(URI) == "limit = 9\nadd = limit\n"


async def test_a_fix_is_offered_on_the_whole_line_and_nowhere_else(scripted):
    text = "one = add\ntwo = three\n"
    async with scripted() as editor:
        await opened(editor, text)
        at = text.index("three")
        place = editor.range(editor.documents[URI], at, at + 5)
        told = {"range": place, "message": "undefined name 'three'"}
        fixes = {}
        for word in ("one", "two"):
            cursor = text.index(word)
            fixes[word] = await editor.code_actions(URI, cursor, cursor, diagnostics=[told])
        assert fixes["one"] == []
        assert [one["title"] for one in fixes["two"]] == ["Fix: undefined name 'three'"]
