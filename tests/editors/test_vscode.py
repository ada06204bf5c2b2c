"""The extension in the real VS Code with a scripted model: exact text, and frames on the way."""

import json
from pathlib import Path

import pytest
from vscode import pack_extension

SCENARIO = Path(__file__).parents[1] / "protocol" / "scenario.py"
LATE = Path(__file__).with_name("late.py")
ANSWERS = {
    "total = ": "price * count + tax",
    "total = p": "rice * count + tax",
    "other = ": "first",
    "other = firstly": " + 1",
    "café = '☕', ": "'naïve 😀'",
    "rows = ": "[\n    1,\n    2,\n]",
    "lst = [": "1]",
    "# Twice a number.\n": "def double(number):\n    return number * 2\n\n\n",
    "# after:\n": "total = 1 + 1\n",
}


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    file = tmp_path_factory.mktemp("script") / "script.json"
    file.write_text(json.dumps({"answers": ANSWERS}))
    return ("--scripted", str(file))


@pytest.fixture(scope="module")
def scripted(server_program, script):
    return server_program("-m", "fimble", then=script)


@pytest.fixture(scope="module")
def window(code_server, open_window, scripted, tmp_path_factory):
    """One window for all tests: starting it takes as long as all of them."""
    linter = Path(__file__).with_name("linter")
    package = tmp_path_factory.mktemp("linter") / "linter.vsix"
    code_server.install_extension(pack_extension(linter, package))
    code_server.configure({"fimble.server.path": scripted})
    with code_server.running() as address, open_window(address) as window:
        window.wait_for_icon("sparkle", timeout=120_000)
        yield window


def test_ghost_text_appears_is_typed_along_left_and_accepted(window, screenshot):
    window.open("accept.py", "price = 1\n")
    window.type("total = ")
    window.wait_for_ghost("price * count + tax")
    window.picture(screenshot.with_stem("ghost-text"))
    window.type("p")
    window.wait_for_ghost("rice * count + tax")
    window.type("x")
    window.wait_for_ghost("")
    window.press("Backspace", "Alt+\\")
    window.wait_for_ghost("rice * count + tax")
    window.press("Tab")
    window.wait_for_ghost("")
    assert window.saved() == "price = 1\ntotal = price * count + tax"
    window.press("Control+z")
    assert window.saved() == "price = 1\ntotal = p"


def test_typing_along_never_flickers(window):
    window.open("flicker.py")
    window.type("total = ")
    window.wait_for_ghost("price * count + tax")
    with window.watched() as frames:
        window.type("price * c")
        window.wait_for_ghost("ount + tax")
    assert {text for text, _ in frames} == {"total = price * count + tax"}
    assert all(ghost and text.endswith(ghost) for text, ghost in frames), frames


def test_another_way_hides_the_suggestion_at_once(window):
    window.open("hides.py")
    window.type("total = ")
    window.wait_for_ghost("price * count + tax")
    with window.watched() as frames:
        window.type("x")
        window.wait_for_ghost("")
    assert frames == [("total = price * count + tax", "price * count + tax"), ("total = x", "")]


def test_words_and_lines_are_accepted_by_vs_codes_own_commands(window):
    window.open("words.py")
    window.type("total = ")
    window.wait_for_ghost("price * count + tax")
    window.press("Control+ArrowRight")
    window.wait_for_ghost(" * count + tax")
    assert window.saved() == "total = price"
    window.press("Escape")
    window.press("Enter")
    window.type("rows = ")
    window.until(lambda: "[" in window.ghost(), window.ghost)
    window.press("Control+ArrowDown")
    assert window.saved() == "total = price\nrows = ["


def test_text_beyond_ascii_arrives_where_it_belongs(window):
    window.open("utf.py", "# ü😀\n")
    window.type("café = '☕', ")
    window.wait_for_ghost("'naïve 😀'")
    window.press("Tab")
    assert window.saved() == "# ü😀\ncafé = '☕', 'naïve 😀'"


def test_tab_belongs_to_the_list_of_completions(window, screenshot):
    window.open("popup.py", "firstly = 1\n")
    window.type("other = ")
    window.wait_for_ghost("first")
    window.press("Control+Space")
    window.page.locator(".suggest-widget.visible .monaco-list-row").first.wait_for()
    window.type("firstl")
    chosen = window.page.locator(".suggest-widget.visible .monaco-list-row.focused")
    chosen.filter(has_text="firstly").wait_for()
    window.wait_for_ghost("y + 1")
    window.picture(screenshot.with_stem("popup"))
    window.press("Tab")
    window.page.locator(".suggest-widget.visible").wait_for(state="detached")
    assert window.saved() == "firstly = 1\nother = firstly"


def test_a_comment_becomes_a_function(window, screenshot):
    window.open("comment.py", "# Twice a number.\n")
    window.press("ArrowUp")
    window.choose_action("Write what this comment describes", screenshot.with_stem("implement"))
    written = "# Twice a number.\ndef double(number):\n    return number * 2\n"
    window.until(lambda: window.saved() == written, window.saved)
    window.press("Control+z")
    window.until(lambda: window.saved() == "# Twice a number.\n", window.saved)


def test_a_quick_fix_from_the_light_bulb(window, screenshot):
    window.open("fix.py", "total = 1 + unknown")
    window.wait_for_squiggle()
    window.press("ArrowLeft")
    window.choose_action("Fix: Undefined name", screenshot.with_stem("fix"))
    window.until(lambda: window.saved() == "total = 1 + 1", window.saved)


def test_restarting_twice_at_once_leaves_one_server(window, code_server):
    before = len(code_server.descendants("fimble"))
    for _ in range(2):
        window.run("Fimble: Restart the Server")
    window.wait_for_icon("sparkle")
    window.until(
        lambda: len(code_server.descendants("fimble")) == before,
        lambda: str([one.cmdline() for one in code_server.descendants("fimble")]),
    )
    window.open("again.py")
    window.type("total = ")
    window.wait_for_ghost("price * count + tax")
    assert window.messages() == [], "what the ending server could not answer is no news"


def test_suggestions_are_paused_and_resumed_from_the_menu(window, screenshot):
    window.open("pause.py")
    window.click_status()
    window.page.locator(".quick-input-list .monaco-list-row").first.wait_for()
    window.picture(screenshot.with_stem("menu"))
    window.choose("Pause for this file")
    window.wait_for_icon("debug-pause")
    window.page.locator(".monaco-editor .view-lines").first.click()
    window.type("total = ")
    window.run("Why Was Nothing Suggested?")
    window.wait_for_message("paused for this file")
    window.picture(screenshot.with_stem("why"))
    window.run("Resume Suggestions")
    window.page.locator(".monaco-editor .view-lines").first.click()
    window.press("Control+End", "Enter")
    window.type("total = ")
    window.wait_for_ghost("price * count + tax")


def test_the_figures_are_shown_as_a_page(window):
    window.open("figures.py")
    window.run("Fimble: Show Statistics")
    frame = window.page.frame_locator("iframe.webview").frame_locator("iframe")
    frame.get_by_text("tokens a second").first.wait_for()


def test_two_windows_on_one_workspace(window, open_window, screenshot):
    window.open("one.py")
    # The second server is started beside it, and has nothing to do with it.
    (window.workspace / "numbers.py").write_text("raise SystemExit('not to be run')\n")
    with open_window(window.page.url) as other:
        other.wait_for_icon("sparkle", timeout=120_000)
        other.open("two.py")
        other.type("other = ")
        other.wait_for_ghost("first")
        window.type("total = ")
        window.wait_for_ghost("price * count + tax")
        other.picture(screenshot.with_stem("second-window"))


def test_what_is_typed_while_the_server_starts_gets_its_suggestion(
    window, server_program, script, tmp_path
):
    is_awaited = tmp_path / "now"
    server_program(LATE, is_awaited, "-m", "fimble", then=script)
    window.open("early.py")
    window.run("Fimble: Restart the Server")
    window.wait_for_icon("loading")
    window.focus()
    window.type("total = ")
    is_awaited.touch()
    window.wait_for_ghost("price * count + tax")
    window.press("Tab")
    assert window.saved() == "total = price * count + tax"


def test_a_server_that_ends_at_once_is_started_once_and_told_once(
    window, server_program, script, tmp_path
):
    started = tmp_path / "started"
    server_program("-c", f"print('.', file=open({str(started)!r}, 'a'))")
    window.run("Fimble: Restart the Server")
    window.wait_for_icon("error")
    window.wait_for_message("The server could not be started.")
    # So long that all that the library would do of itself has happened.
    window.page.wait_for_timeout(3_000)
    assert started.read_text().split() == ["."]
    assert len(window.messages()) == 1
    server_program("-m", "fimble", then=script)
    window.run("Notifications: Clear All Notifications")
    window.run("Fimble: Restart the Server")
    window.wait_for_icon("sparkle")


def test_a_restart_does_not_wait_for_a_server_that_never_answers(
    window, code_server, server_program, script
):
    silent = "import time; time.sleep(600)"
    server_program("-c", silent)
    window.run("Fimble: Restart the Server")
    window.wait_for_icon("loading")
    window.until(lambda: code_server.descendants(silent), lambda: "it was not started")
    server_program("-m", "fimble", then=script)
    window.run("Fimble: Restart the Server")
    window.wait_for_icon("sparkle")
    window.until(lambda: not code_server.descendants(silent), lambda: "its process goes on")
    assert not window.messages()
    window.open("after.py")
    window.type("total = ")
    window.wait_for_ghost("price * count + tax")


def test_a_cell_of_a_notebook_knows_the_cells_above(
    window, code_server, server_program, screenshot
):
    server_program(SCENARIO, "telling")
    code_server.configure_server("telling")
    window.run("Fimble: Restart the Server")
    window.wait_until_ready("telling")
    window.open_notebook("areas.ipynb", "def circle_area(radius):\n    pass", "area = ")
    window.type("1 + ")
    window.wait_for_ghost("circle_area")
    window.picture(screenshot)
    window.press("Tab")
    window.press("Control+s")
    window.until(lambda: "1 + circle_area" in window.file.read_text(), window.file.read_text)


def test_a_download_shows_percent_and_a_button_that_stops_it(
    window, code_server, server_program, screenshot
):
    server_program(SCENARIO, "downloading")
    code_server.configure_server("big")
    window.run("Fimble: Restart the Server")
    window.wait_for_status("Fimble 25 %")
    window.wait_for_message("downloading big")
    window.picture(screenshot.with_stem("download"))
    window.page.get_by_role("button", name="Cancel").first.click()
    window.wait_for_message("Getting the model was stopped.")
    window.wait_for_icon("error")
    window.run("Notifications: Clear All Notifications")
    code_server.configure_server("small")
    window.run("Fimble: Restart the Server")
    window.wait_until_ready("small")
    window.open("small.py")
    window.type("x = ")
    window.wait_for_ghost("small")


def test_a_crash_is_survived(window, code_server, server_program, screenshot):
    server_program(SCENARIO, "crashing")
    code_server.configure_server("sturdy")
    window.run("Fimble: Restart the Server")
    window.wait_until_ready("sturdy")
    window.open("crash.py")
    window.type("crash = ")
    window.wait_for_message("The model crashed. It is restarted.")
    window.page.get_by_role("button", name="Open the log").first.wait_for()
    window.picture(screenshot.with_stem("crash"))
    window.press("Enter")
    window.type("y = ")
    window.wait_for_ghost("alive")
    window.press("Tab", "Enter")
    window.type("die = ")
    window.wait_for_icon("sync")
