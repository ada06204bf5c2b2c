"""Hello, goodbye, and everything that is no proper message."""

import asyncio
import json
import sys

import pytest

from fimble.protocol.client import CAPABILITIES, ServerFailure

URI = "file:///a.py"
INVALID_REQUEST, INVALID_PARAMS, NOT_FOUND, PARSE, NOT_INITIALIZED = (
    -32600,
    -32602,
    -32601,
    -32700,
    -32002,
)


async def failure(answer):
    with pytest.raises(ServerFailure) as caught:
        await answer
    return caught.value.code


async def test_the_capabilities_are_announced(scripted):
    async with scripted() as editor:
        capabilities = (await editor.initialize())["capabilities"]
        assert capabilities["inlineCompletionProvider"] == {}
        assert capabilities["textDocumentSync"] == {"openClose": True, "change": 2, "save": True}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["utf-8", "utf-16", "utf-32"], "utf-32"),
        (["utf-16", "utf-8"], "utf-8"),
        (["utf-16"], "utf-16"),
        (["utf-7"], "utf-16"),
        (None, "utf-16"),
    ],
)
async def test_positions_are_counted_as_agreed(scripted, offered, chosen):
    general = {} if offered is None else {"general": {"positionEncodings": offered}}
    capabilities = CAPABILITIES | {"general": None} | general
    async with scripted({"é😀 = ": "12"}, capabilities=capabilities) as editor:
        await editor.initialize()
        assert editor.encoding == chosen
        editor.open(URI, "# ü😀ü\nx😀é😀 = \n# end\n")
        editor.edit(URI, 6, 8, "")
        await editor.flush()
        end = editor.text(URI).index(" = ") + 3
        assert editor.text(URI)[:end] == "# ü😀ü\né😀 = "
        [suggestion] = await editor.inline_completion(URI, end)
        assert (suggestion.text, suggestion.start, suggestion.end) == ("12", end, end)


async def test_leaving_politely_gives_exit_status_0(scripted):
    async with scripted() as editor:
        await editor.initialize()
        await editor.flush()
        assert await editor.shut_down() == 0


@pytest.mark.parametrize("initialized", [True, False])
async def test_exit_without_shutdown_gives_exit_status_1(scripted, initialized):
    async with scripted() as editor:
        if initialized:
            await editor.initialize()
        editor.notify("exit")
        assert await editor.ended() == 1


async def test_the_server_ends_with_its_input(scripted):
    async with scripted() as editor:
        await editor.initialize()
        editor.hang_up()
        assert await editor.ended() == 1


async def test_who_starts_the_server_by_hand_is_told_in_a_line(scripted):
    async with scripted() as editor:
        editor.hang_up()
        assert await editor.ended() == 1
    (line,) = editor.log
    assert line.endswith("nobody said hello: editors start `fimble serve` themselves")


async def test_requests_before_initialize_are_refused(scripted):
    async with scripted() as editor:
        assert await failure(editor.request("fimble/status")) == NOT_INITIALIZED
        await editor.initialize()
        assert (await editor.status())["version"]


async def test_initialize_counts_once_and_nothing_after_shutdown(scripted):
    async with scripted() as editor:
        await editor.initialize()
        assert await failure(editor.request("initialize", {})) == INVALID_REQUEST
        await editor.request("shutdown")
        assert await failure(editor.request("fimble/status")) == INVALID_REQUEST


async def test_bad_requests_get_one_answer_each(scripted):
    async with scripted() as editor:
        await editor.initialize()
        for method, params, code in (
            ("textDocument/inlineCompletion", {}, INVALID_PARAMS),
            ("textDocument/inlineCompletion", [1], INVALID_PARAMS),
            ("fimble/explainLast", {"count": "many"}, INVALID_PARAMS),
            ("fimble/unknown", {"x": 1}, NOT_FOUND),
            ("textDocument/hover", {}, INVALID_PARAMS),
        ):
            assert await failure(editor.request(method, params)) == code
        assert (await editor.status())["version"]
        assert editor.unexpected == []
        assert editor.messages == []


async def test_garbage_is_answered_and_survived(scripted):
    garbage = [
        (b"{", PARSE),
        (b"\xff\xfe", PARSE),
        (b"[" * 100_000, PARSE),
        (b"[]", INVALID_REQUEST),
        (b"7", INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","id":7,"method":"x"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"x"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":8,"method":5}', INVALID_REQUEST),
    ]
    async with scripted() as editor:
        await editor.initialize()
        for body, _ in garbage:
            editor.send_raw(body)
        # Neither notifications nor answers to nothing are answered.
        editor.send({"method": "textDocument/didOpen", "params": {"textDocument": "x"}})
        editor.send({"method": "fimble/unknown"})
        editor.send({"id": "nobody", "result": 5})
        editor.send({"id": "nobody", "error": {"code": 1, "message": "x"}})
        editor.send({"id": "nobody", "error": "bad"})
        editor.cancel(12345)
        assert (await editor.status())["version"]
        codes = [message["error"]["code"] for message in editor.unexpected]
        assert codes == [code for _, code in garbage]
        assert [message["id"] for message in editor.unexpected[-3:]] == [7, None, 8]


async def test_headers_are_read_leniently(scripted):
    async with scripted() as editor:
        await editor.initialize()
        body = json.dumps({"jsonrpc": "2.0", "id": "own", "method": "fimble/status"}).encode()
        headers = f"content-type: x\r\nCONTENT-LENGTH: {len(body)}\r\nother: 1\r\n\r\n"
        editor.send_bytes(headers.encode() + body)
        await editor.until(lambda client: client.unexpected)
        assert editor.unexpected[0]["id"] == "own"


async def test_an_absurd_length_ends_the_conversation(scripted):
    async with scripted() as editor:
        await editor.initialize()
        editor.send_bytes(b"Content-Length: 99999999999\r\n\r\n")
        assert await editor.ended() == 1
        assert any("Content-Length" in line for line in editor.log)


async def test_a_server_that_hangs_is_killed(scenario):
    editor = scenario("stuck")
    await editor.start()
    await editor.initialize()
    await editor.flush()
    async with asyncio.timeout(20):
        await editor.close()


async def test_nothing_heavy_is_imported_before_the_first_answer(scripted, environment):
    environment["PYTHONPROFILEIMPORTTIME"] = "1"
    async with scripted(python=(sys.executable,)) as editor:
        await editor.initialize()
        await editor.flush()
    imported = {line.rpartition("|")[2].strip() for line in editor.log if "import time:" in line}
    assert "fimble.protocol.server" in imported
    assert imported.isdisjoint({"numpy", "tree_sitter", "requests", "rich", "llama_cpp", "psutil"})
