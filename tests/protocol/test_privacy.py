"""What the user writes never reaches the log, whatever happens."""

import contextlib

import pytest

from fimble.protocol.client import ServerFailure

SECRET = "hunter2"  # noqa: S105
URI = "file:///a.py"


async def live_through_everything(editor):
    """Type the secret, be answered with it, and send it in every kind of bad message."""
    await editor.initialize(options={"log": {"level": "debug"}})
    editor.open(URI, f'{SECRET} = "')
    await editor.flush()
    end = editor.type_text(URI, len(editor.text(URI)), SECRET)
    with contextlib.suppress(ServerFailure):
        await editor.inline_completion(URI, end)
    item = {"uri": SECRET, "version": "x", "text": SECRET, "languageId": SECRET}
    for message in (
        {"method": "textDocument/didOpen", "params": {"textDocument": item}},
        {"method": "textDocument/didChange", "params": {"contentChanges": [{"text": SECRET}]}},
        {"method": SECRET, "params": {SECRET: SECRET}},
        {"id": 901, "method": "textDocument/inlineCompletion", "params": {SECRET: SECRET}},
        {"id": 902, "method": f"x/{SECRET}", "params": [SECRET]},
        {"id": SECRET, "result": SECRET},
        {"id": SECRET, "error": {"code": 1, "message": SECRET}},
    ):
        editor.send(message)
    editor.send_raw(b"{" + SECRET.encode())
    editor.replace_all(URI, f"{SECRET}\n" * 3)
    editor.close_document(URI)
    editor.cancel(77)
    await editor.flush()
    await editor.shut_down()


async def test_user_code_never_reaches_the_log(scripted):
    async with scripted({SECRET: SECRET}) as editor:
        await live_through_everything(editor)
    assert any("DEBUG" in line for line in editor.log)
    assert SECRET not in "\n".join(editor.log)


async def test_not_even_when_a_bug_quotes_it(scenario):
    async with scenario("broken") as editor:
        await live_through_everything(editor)
    log = "\n".join(editor.log)
    assert "ZeroDivisionError" in log
    assert SECRET not in log


async def test_a_bug_gives_one_error_and_the_server_goes_on(scenario):
    async with scenario("broken") as editor:
        await editor.initialize()
        editor.open(URI, "x = ")
        await editor.flush()
        with pytest.raises(ServerFailure):
            await editor.inline_completion(URI, 4)
        assert (await editor.status())["state"] == "ready"
        assert editor.unexpected == []
