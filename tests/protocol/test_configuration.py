"""Where settings come from, which one wins, and what is said of bad ones."""

from pathlib import Path

from fimble.protocol.client import CAPABILITIES

PUSHING = {**CAPABILITIES, "workspace": {}}


async def model(editor):
    return (await editor.status())["model"]["name"]


async def test_later_sources_win(scripted, tmp_path, environment):
    user = Path(environment["XDG_CONFIG_HOME"]) / "fimble"
    user.mkdir(parents=True)
    (user / "fimble.toml").write_text('model = "user"\n')
    async with scripted(capabilities=PUSHING) as editor:
        await editor.initialize()
        assert await model(editor) == "user"

    (tmp_path / "fimble.toml").write_text('model = "workspace"\n')
    async with scripted() as editor:
        await editor.initialize(tmp_path)
        await editor.flush()
        assert await model(editor) == "workspace"

    async with scripted(settings={"completion": {}}) as editor:
        await editor.initialize(tmp_path, {"model": "options"})
        await editor.flush()
        assert await model(editor) == "options"

    async with scripted(settings={"model": "section"}) as editor:
        await editor.initialize(tmp_path, {"model": "options"})
        await editor.flush()
        assert await model(editor) == "section"


async def test_bad_values_are_told_once_and_the_defaults_used(scripted, tmp_path):
    (tmp_path / "fimble.toml").write_text('model = "../evil.gguf"\n')
    settings = {"completion": {"maxTokens": "many"}, "colour": 1}
    async with scripted(settings=settings) as editor:
        await editor.initialize(tmp_path)
        await editor.flush()
        editor.notify("workspace/didChangeConfiguration", {"settings": {}})
        status = await editor.status()
        assert await model(editor) == "qwen2.5-coder-0.5b"
        assert len(editor.messages) == len(status["settings"]["problems"]) == 3
        assert "`completion.maxTokens`" in editor.messages[1]
        assert "`colour` is no setting" in editor.messages[2]


async def test_pushed_settings_count(scripted):
    async with scripted(capabilities=PUSHING) as editor:
        await editor.initialize()
        pushed = {"settings": {"fimble": {"model": "pushed"}, "other": {}}}
        editor.notify("workspace/didChangeConfiguration", pushed)
        assert await model(editor) == "pushed"
        assert editor.registrations == []


async def test_a_changed_file_counts_when_it_is_told_or_saved(scripted, tmp_path):
    file = tmp_path / "fimble.toml"
    async with scripted() as editor:
        await editor.initialize(tmp_path)
        await editor.flush()
        assert editor.registrations == [
            "workspace/didChangeConfiguration",
            "workspace/didChangeWatchedFiles",
        ]
        file.write_text('model = "told"\n')
        changes = {"changes": [{"uri": file.as_uri(), "type": 1}]}
        editor.notify("workspace/didChangeWatchedFiles", changes)
        assert await model(editor) == "told"
        file.write_text('model = "saved"\n')
        editor.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})
        assert await model(editor) == "saved"


async def test_a_client_that_refuses_or_talks_nonsense_is_served(scripted):
    async with scripted() as editor:
        editor.answers["workspace/configuration"] = {"error": {"code": 1, "message": "no"}}
        editor.answers["client/registerCapability"] = {"error": {"code": 1, "message": "no"}}
        await editor.initialize()
        await editor.flush()
        assert (await editor.status())["state"] == "ready"
        for nonsense in ({"result": 5}, {"result": []}, {"result": None}, {"error": 7}):
            editor.answers["workspace/configuration"] = nonsense
            editor.notify("workspace/didChangeConfiguration", {"settings": None})
        await editor.flush()
        assert (await editor.status())["state"] == "ready"
        assert editor.unexpected == []
