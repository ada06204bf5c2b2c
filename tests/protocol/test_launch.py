"""From nothing to a model that answers: loading, failing, crashing, and starting over."""

import asyncio
from pathlib import Path

import pytest

from fimble.protocol.client import CAPABILITIES, ServerFailure

CANCELLED = -32800
URI = "file:///a.py"
TEXT = "x = "


def write(editor, text):
    if URI in editor.documents:
        editor.replace_all(URI, text)
    else:
        editor.open(URI, text)


async def ask(editor, text=TEXT):
    write(editor, text)
    suggestions = await editor.inline_completion(URI, len(text))
    return [one.text for one in suggestions], await why(editor)


async def ask_early(editor, text=TEXT):
    """Ask while the model loads: what will be the answer."""
    write(editor, text)
    _, answer = editor.ask_inline_completion(URI, len(text))
    async with asyncio.timeout(30):
        while await why(editor) != "loading":
            pass
    assert not answer.done()
    return answer


async def why(editor):
    explanations = await editor.explain_last()
    return explanations[0]["reason"] if explanations else None


async def change(editor, **settings):
    editor.settings = settings
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    await editor.request("fimble/status")


async def test_who_types_while_the_model_loads_is_answered_once_it_is_there(scenario):
    async with scenario("downloading", settings={"model": "big"}) as editor:
        await editor.initialize()
        early = await ask_early(editor, "y = ")
        answer = await ask_early(editor)
        assert await editor.wait(early) is None
        assert (await editor.status())["state"] == "loading"
        assert editor.messages == []
        await change(editor, model="small")
        (item,) = (await editor.wait(answer))["items"]
        assert (item["insertText"], await why(editor)) == ("small", "shown")


async def test_who_waits_for_a_model_can_give_up(scripted):
    async with scripted({TEXT: "1"}, state="loading") as editor:
        await editor.initialize()
        write(editor, TEXT)
        number, answer = editor.ask_inline_completion(URI, len(TEXT))
        editor.cancel(number)
        with pytest.raises(ServerFailure) as failure:
            await editor.wait(answer)
        assert failure.value.code == CANCELLED


async def test_a_ready_model_is_described(scripted):
    async with scripted() as editor:
        await editor.initialize()
        await editor.flush()
        status = await editor.status()
        assert status["state"] == "ready"
        assert status["model"]["name"] == "qwen2.5-coder-0.5b"
        assert status["model"]["architecture"] == "scripted"
        assert status["profile"]["nCtx"] == 8192
        assert status["rates"] == {"prefill": 1000.0, "decode": 100.0}
        assert status["memory"]["kvCellsTotal"] == 8192
        assert status["error"] is None
        assert status["settings"] == {"problems": []}


async def test_a_download_shows_progress_and_can_be_stopped(scenario):
    async with scenario("downloading", settings={"model": "big"}) as editor:
        await editor.initialize()
        await editor.until(lambda client: client.progress)
        begin = editor.progress[0]
        assert begin == {
            "token": begin["token"],
            "kind": "begin",
            "title": "Fimble",
            "message": "downloading big",
            "percentage": 25,
            "cancellable": True,
        }
        answer = await ask_early(editor)
        editor.notify("window/workDoneProgress/cancel", {"token": begin["token"]})
        await editor.until(lambda client: client.messages)
        assert await editor.wait(answer) is None
        assert editor.progress[-1]["kind"] == "end"
        assert "stopped" in editor.messages[0]
        status = await editor.status()
        assert (status["state"], status["error"]["kind"]) == ("failed", "ModelMissing")
        assert (await ask(editor))[1] == "failed"

        await change(editor, model="small")
        await editor.flush()
        assert await ask(editor) == (["small"], "shown")
        assert len(editor.messages) == 1


async def test_another_model_replaces_a_download_under_way(scenario):
    async with scenario("downloading", settings={"model": "big"}) as editor:
        await editor.initialize()
        await editor.until(lambda client: client.progress)
        await change(editor, model="small")
        await editor.flush()
        assert await ask(editor) == (["small"], "shown")
        assert editor.progress[-1]["kind"] == "end"
        assert editor.messages == []


async def test_no_progress_without_the_clients_support(scenario):
    capabilities = {"workspace": {"configuration": True}}
    settings = {"model": "big"}
    async with scenario("downloading", settings=settings, capabilities=capabilities) as editor:
        await editor.initialize()
        await ask_early(editor)
        async with asyncio.timeout(30):
            while (await editor.status())["stage"] != "downloading big":
                pass
        assert editor.progress == []


async def test_a_failed_download_is_told_once_and_the_server_stays(scenario):
    async with scenario("failing", settings={"model": "missing"}) as editor:
        await editor.initialize()
        await editor.flush()
        assert (await ask(editor))[1] == "failed"
        assert (await ask(editor))[1] == "failed"
        assert editor.messages == ["Fimble: No source has the model. Check the network."]
        await change(editor, model="good")
        await editor.flush()
        assert await ask(editor) == (["good"], "shown")


def pull(environment, model):
    file = Path(environment["FIMBLE_MODEL_DIR"]) / model
    file.parent.mkdir(parents=True)
    file.touch()


async def test_the_next_request_finds_a_model_that_was_fetched_meanwhile(scenario, environment):
    async with scenario("arriving", settings={"model": "late"}) as editor:
        await editor.initialize()
        await editor.flush()
        assert (await editor.status())["error"]["kind"] == "DownloadFailed"
        pull(environment, "late")
        assert await ask(editor) == (["late"], "shown")
        assert (await editor.status())["error"] is None
        assert editor.messages == ["Fimble: No source has the model. Check the network."]


async def test_settings_that_are_told_again_try_a_failed_model_again(scenario, environment):
    async with scenario("arriving", settings={"model": "late"}) as editor:
        await editor.initialize()
        await editor.flush()
        assert await ask(editor) == ([], "failed")
        await change(editor, model="late")
        await editor.flush()
        assert (await editor.status())["state"] == "failed"
        pull(environment, "late")
        await change(editor, model="late")
        await editor.flush()
        assert await ask(editor) == (["late"], "shown")
        assert editor.messages == ["Fimble: No source has the model. Check the network."]


async def test_a_model_that_cannot_be_loaded_is_told_once(scenario):
    async with scenario("failing", settings={"model": "odd"}) as editor:
        await editor.initialize()
        await editor.flush()
        assert (await ask(editor))[1] == "failed"
        assert editor.messages == ["Fimble: This is no GGUF. Try another file."]
        assert (await editor.status())["error"]["kind"] == "UnsupportedModel"


async def test_a_bug_in_the_launch_is_told_without_its_message(scenario):
    async with scenario("failing", settings={"model": "buggy"}) as editor:
        await editor.initialize()
        await editor.flush()
        assert (await ask(editor))[1] == "failed"
        assert editor.messages == ["Fimble: The engine could not be started. See the server's log."]
    assert any("ZeroDivisionError" in line for line in editor.log)
    assert not any("SECRET" in line for line in editor.log)


async def test_a_crash_is_told_once_and_the_next_request_works(scenario):
    async with scenario("crashing") as editor:
        await editor.initialize()
        await editor.flush()
        for _ in range(3):
            assert await ask(editor, "crash = ") == ([], "down")
            assert await ask(editor) == (["alive"], "shown")
        assert await ask(editor, "die = ") == ([], "down")
        assert await ask(editor, "y = ") == ([], "down")
        assert editor.messages == ["Fimble: The model crashed. It is restarted."]


async def test_what_the_engine_is_launched_with_counts_when_it_is_changed(scenario):
    async with scenario("showing") as editor:
        await editor.initialize()
        await editor.flush()
        assert await ask(editor, "a = ") == (["auto_512_1024"], "shown")
        settings = {"optimize": "never"}
        await change(editor, **settings)
        await editor.flush()
        assert await ask(editor, "b = ") == (["never_512_1024"], "shown")
        settings["cache"] = {"ramMegabytes": 256}
        await change(editor, **settings)
        await editor.flush()
        assert await ask(editor, "c = ") == (["never_256_1024"], "shown")
        settings["cache"] = {"diskMegabytes": 0}
        await change(editor, **settings)
        await editor.flush()
        assert await ask(editor, "d = ") == (["never_512_0"], "shown")


async def test_switching_off_and_on(scripted):
    async with scripted({TEXT: "1"}, settings={"enabled": False}) as editor:
        await editor.initialize()
        await editor.flush()
        assert (await editor.status())["state"] == "stopped"
        assert await ask(editor) == ([], "disabled")
        await change(editor, enabled=True)
        await editor.flush()
        assert await ask(editor) == (["1"], "shown")
        await change(editor, enabled=False)
        await editor.flush()
        assert (await editor.status())["state"] == "stopped"
        assert editor.messages == []


def states(editor):
    told = [one["params"] for one in editor.unexpected if one["method"] == "fimble/didChangeStatus"]
    return [(one["state"], one["progress"], one["stage"]) for one in told]


async def test_a_client_that_wants_to_is_told_of_each_change(scenario):
    capabilities = CAPABILITIES | {"experimental": {"fimble": {"status": True}}}
    settings = {"model": "big"}
    async with scenario("downloading", settings=settings, capabilities=capabilities) as editor:
        await editor.initialize()
        await editor.until(lambda client: ("loading", 0.25, "downloading big") in states(client))
        await change(editor, model="small")
        await editor.flush()
        assert states(editor)[0] == ("loading", 0.0, "")
        assert states(editor)[-1] == ("ready", 1.0, "")
        last = editor.unexpected[-1]["params"]
        assert (last["model"], last["error"], last["restarts"]) == ({"name": "small"}, None, 0)


async def test_other_clients_hear_no_notifications_they_do_not_know(scripted):
    async with scripted() as editor:
        await editor.initialize()
        await editor.flush()
        assert states(editor) == []


async def test_a_file_that_was_closed_is_not_read_to_its_end(scenario):
    async with scenario("slow") as editor:
        await editor.initialize()
        await ask(editor)  # the engine is there
        for number in range(3):
            editor.open(f"file:///{number}.py", TEXT)
        flushed = asyncio.ensure_future(editor.flush())
        assert (await editor.status())["state"] == "ready"
        assert not flushed.done()
        for uri in list(editor.documents):
            editor.close_document(uri)
        await asyncio.wait_for(flushed, 10)
