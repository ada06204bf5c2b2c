"""How the extension comes to a server and a model: for real, from nothing."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest

EXTENSION = Path(__file__).parents[2] / "editors" / "vscode"
INSTALL_MS = 400_000


def test_the_package_is_small_and_holds_what_it_should(vsix):
    assert vsix.stat().st_size < 1_000_000
    with zipfile.ZipFile(vsix) as package:
        names = {name.removeprefix("extension/") for name in package.namelist()}
    assert {"package.json", "dist/extension.js", "media/keys.md"} <= names
    assert [name for name in names if name.startswith("server/fimble-")]
    assert "server/llama.cmake" in names
    assert not [name for name in names if name.startswith(("src/", "node_modules/", "test/"))]


def test_the_logic_is_right(vsix, npm):
    done = subprocess.run(
        (npm, "--silent", "test"), cwd=EXTENSION, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def started(code_server, open_window):
    """Opens a window of a user with these settings, none of whose programs is `fimble`."""

    @contextmanager
    def make(settings, environment=None):
        folders = os.environ["PATH"].split(os.pathsep)
        path = os.pathsep.join(one for one in folders if shutil.which("fimble", path=one) is None)
        code_server.configure(settings)
        code_server.environment |= {"PATH": path} | (environment or {})
        for made in code_server.user_data.glob("**/fimble.fimble/server-*"):
            shutil.rmtree(made)
        with code_server.running() as address, open_window(address) as window:
            window.wait_for_icon("sparkle", "circle-slash", "loading", timeout=120_000)
            yield window

    return make


def rebuilt_wheel(name, folder):
    """Make a wheel again of an installed package: building this one takes minutes."""
    package = metadata.distribution(name)
    tag = next(
        line.removeprefix("Tag: ")
        for line in package.read_text("WHEEL").splitlines()
        if line.startswith("Tag: ")
    )
    file = folder / f"{name.replace('-', '_')}-{package.version}-{tag}.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        for one in package.files:
            if ".." not in one.parts and "__pycache__" not in one.parts:
                wheel.write(one.locate(), str(one))
    return file


@pytest.fixture
def pip_environment(tmp_path):
    """Makes pip use what it has here already: its settings, its cache, and llama.cpp as built."""
    pip = (sys.executable, "-m", "pip")
    index = subprocess.run(
        (*pip, "download", "--no-deps", "--dest", tmp_path, "pygls"), check=False
    )
    if index.returncode:
        pytest.skip("the package index is out of reach")
    rebuilt_wheel("llama-cpp-python", tmp_path)
    links = f"{tmp_path} {os.environ.get('PIP_FIND_LINKS', '')}".strip()
    cache = subprocess.run((*pip, "cache", "dir"), capture_output=True, text=True, check=True)
    theirs = {"PIP_FIND_LINKS": links, "PIP_CACHE_DIR": cache.stdout.strip()}
    settings = Path.home() / ".config" / "pip" / "pip.conf"
    return theirs | ({"PIP_CONFIG_FILE": str(settings)} if settings.is_file() else {})


@pytest.mark.real
def test_the_server_is_installed_from_nothing(started, pip_environment, real_model, screenshot):
    settings = {"fimble.server.python": sys.executable}
    with started(settings, pip_environment) as window:
        window.wait_for_message("Fimble's server is not installed yet.")
        window.picture(screenshot.with_stem("offered"))
        window.press_button("Install")
        window.wait_for_message("installing the server")
        window.wait_for_status("Fimble: installing")
        window.wait_for_message("Getting ")
        window.picture(screenshot.with_stem("installing"))
        window.wait_for_icon("error", "sparkle", timeout=INSTALL_MS)
        window.wait_until_ready(real_model)
        window.picture(screenshot.with_stem("installed"))
        window.open("first.py", "def add(first, second):\n")
        window.type("return first ")
        window.until(lambda: "+ second" in window.ghost(), window.why)


def test_a_python_that_is_too_old_is_named(started, tmp_path, screenshot):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3.9.2; exit 1\n")
    old.chmod(0o755)
    with started({"fimble.server.python": str(old)}) as window:
        window.press_button("Install")
        window.wait_for_message(f"{old} is Python 3.9.2")
        window.wait_for_icon("error")
        window.picture(screenshot)


def test_where_an_update_fails_the_server_of_before_is_used(
    started, server_program, code_server, tmp_path, screenshot
):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": {"x = ": "before"}}))
    program = server_program("-m", "fimble", then=("--scripted", str(script)))
    before = code_server.user_data / "User" / "globalStorage" / "fimble.fimble" / "server"
    (before / "bin").mkdir(parents=True)
    (before / "bin" / "fimble").symlink_to(program)
    (before / "fimble-wheel.sha256").write_text("that of another wheel")
    with started({"fimble.server.python": str(tmp_path / "no-python")}) as window:
        window.wait_for_message("Until then the server that was there is used.")
        window.wait_for_icon("sparkle")
        window.open("update.py")
        window.type("x = ")
        window.wait_for_ghost("before")
        window.picture(screenshot)
    shutil.rmtree(before)


def test_a_workspace_that_is_not_trusted_chooses_no_programs(
    started, server_program, code_server, tmp_path, screenshot
):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": {"x = ": "trusted"}}))
    program = server_program("-m", "fimble", then=("--scripted", str(script)))
    chosen = tmp_path / "chosen"
    evil = tmp_path / "fimble"
    evil.write_text(f"#!/bin/sh\ntouch {chosen}\n")
    evil.chmod(0o755)
    settings = code_server.workspace / ".vscode" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"fimble.server.path": str(evil)}))
    code_server.trusts_all = False
    with started({"fimble.server.path": program}) as window:
        window.wait_for_icon("sparkle", timeout=120_000)
        window.page.get_by_text("Restricted Mode").first.wait_for()
        window.open("untrusted.py")
        window.type("x = ")
        window.wait_for_ghost("trusted")
        window.picture(screenshot)
    assert not chosen.exists()
