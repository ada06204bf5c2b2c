"""What other files hold reaches the prompt, in the background; what is secret never does."""

import asyncio
import contextlib
import sys

import psutil
import pytest

SHAPES = 'def circle_area(radius):\n    """Area of a circle."""\n    return 3.14 * radius**2\n'
MAIN = "import shapes\n\nradius = 2\narea = "


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "shapes.py").write_text(SHAPES)
    (root / "main.py").write_text(MAIN)
    (root / ".env").write_text("def env_token(radius): circle_area, print, env_t\n")
    (root / "secrets.py").write_text("def env_token(radius): circle_area, print, env_t\n")
    (root / ".gitignore").write_text("scratch.py\n")
    (root / "scratch.py").write_text("def ignored_name(radius): circle_area, print, env_t\n")
    return root


async def seen(editor, uri):
    """What the model says it was shown of the rest of the project."""
    [suggestion] = await editor.inline_completion(uri, len(editor.text(uri)))
    return suggestion.text


async def test_a_definition_in_another_file_reaches_the_prompt(scenario, project):
    async with scenario("telling") as editor:
        await editor.initialize(project)
        uri = (project / "main.py").as_uri()
        editor.open(uri, MAIN)
        await editor.flush()
        assert await seen(editor, uri) == "circle_area"


async def test_a_file_changed_in_the_editor_counts_before_it_is_saved(scenario, project):
    main, shapes = (project / "main.py").as_uri(), (project / "shapes.py").as_uri()
    async with scenario("telling") as editor:
        await editor.initialize(project)
        editor.open(shapes, SHAPES)
        editor.replace_all(shapes, SHAPES.replace("circle_area", "disc_area"))
        await editor.flush()
        editor.open(main, MAIN)
        await editor.flush()
        assert await seen(editor, main) == "disc_area"


async def test_a_file_changed_on_disk_counts(scenario, project):
    uri = (project / "main.py").as_uri()
    async with scenario("telling") as editor:
        await editor.initialize(project)
        await editor.flush()
        changed = project / "shapes.py"
        changed.write_text(SHAPES.replace("circle_area", "disc_area"))
        event = {"uri": changed.as_uri(), "type": 2}
        editor.notify("workspace/didChangeWatchedFiles", {"changes": [event]})
        editor.open(uri, MAIN)
        await editor.flush()
        assert await seen(editor, uri) == "disc_area"


@pytest.mark.parametrize(
    "options",
    [
        {"context": {"enabled": False}},
        {"background": "never"},
        {"context": {"exclude": ["shapes.*"]}},
    ],
)
async def test_settings_leave_it_out(scenario, project, options):
    uri = (project / "main.py").as_uri()
    async with scenario("telling") as editor:
        await editor.initialize(project, options)
        editor.open(uri, MAIN)
        await editor.flush()
        assert await seen(editor, uri) == "nothing"


async def test_the_context_found_while_typing_is_read_in_the_background(scenario, project):
    """The key that finds none is not made to wait for it; the next one has it."""
    uri = (project / "main.py").as_uri()
    async with scenario("telling") as editor:
        await editor.initialize(project)
        await editor.flush()
        editor.open(uri, "")
        end = editor.type_text(uri, 0, MAIN)
        assert await seen(editor, uri) == "nothing"
        await editor.flush()
        end = editor.type_text(uri, end, "1 + ")
        assert await seen(editor, uri) == "circle_area"


async def test_an_action_is_told_what_other_files_define(scenario, project):
    uri, stub = (project / "main.py").as_uri(), "def twice(radius):\n    pass  # circle_area\n"
    shapes = project / "shapes.py"
    async with scenario("telling") as editor:
        await editor.initialize(project)
        await editor.flush()
        editor.open(shapes.as_uri(), SHAPES)
        # It counts before it is saved.
        editor.replace_all(shapes.as_uri(), SHAPES.replace("(radius)", "(radius_in_metres)"))
        editor.open(uri, stub)
        await editor.flush()
        [action, *_] = await editor.code_actions(
            uri, 5, 5, only=["refactor.rewrite.fimble.implement"]
        )
        resolved = await editor.request("codeAction/resolve", action)
        editor.apply(resolved["edit"])
        assert "radius_in_metres" in editor.text(uri)


async def popup(editor, uri):
    """The labels in the popup at the end of a file."""
    end = editor.position(editor.documents[uri], len(editor.text(uri)))
    params = {"textDocument": {"uri": uri}, "position": end, "context": {"triggerKind": 1}}
    answer = await editor.request("textDocument/completion", params)
    return [item["label"] for item in answer["items"]] if answer else []


async def test_the_popup_knows_names_of_files_that_are_not_open(scenario, project):
    uri = (project / "main.py").as_uri()
    async with scenario("telling") as editor:
        await editor.initialize(project)
        editor.open(uri, MAIN)
        await editor.flush()
        end = len(MAIN)
        for typed, expected in (("cir", ["circle_area"]), ("\nenv", []), ("\nignored", [])):
            end = editor.type_text(uri, end, typed)
            # What comes later than a popup waits is there for the next key.
            await popup(editor, uri)
            await editor.flush()
            end = editor.type_text(uri, end, "c" if expected else "_")
            assert await popup(editor, uri) == expected


def indexer_of(editor):
    """The server's index process, if it lives."""
    for one in psutil.Process(editor.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "fimble.prompt.indexer" in one.cmdline():
                return one
    return None


async def test_the_index_comes_back_when_its_process_is_killed(scenario, project):
    uri = (project / "main.py").as_uri()
    async with scenario("telling", python=(sys.executable,)) as editor:
        await editor.initialize(project)
        await editor.flush()
        first = indexer_of(editor)
        first.kill()
        editor.open(uri, MAIN)
        assert await seen(editor, uri)
        async with asyncio.timeout(20):
            while indexer_of(editor) in {first, None}:
                await editor.status()
        await editor.flush()
        end = editor.type_text(uri, len(MAIN), "1 + ")
        await seen(editor, uri)
        await editor.flush()
        editor.type_text(uri, end, "2 + ")
        assert await seen(editor, uri) == "circle_area"
