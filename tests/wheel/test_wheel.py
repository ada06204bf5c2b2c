"""What users install: the wheel, built from this tree, serves from an environment of its own."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from fimble.protocol.client import EditorClient

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).parents[2]
URI = "file:///home/user/sum.py"
ASK_PLACE = "import fimble, sys; sys.stdout.write(fimble.__file__)"
ASK_QUERY = """
from fimble.source.languages import Languages
languages = Languages.load()
python = languages.get("python")
assert languages.query(python, "symbols") is not None
print(len(list(languages)))
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT))
    (file,) = folder.glob("fimble-*.whl")
    return file


@pytest.fixture(scope="session")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment that has the wheel, and borrows what it depends on."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=True)
    folder = "Scripts" if os.name == "nt" else "bin"
    python = str(home / folder / "python")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", str(wheel))
    # Building llama.cpp again would take minutes. The environment's own site-packages come first on
    # the path, so what is borrowed cannot hide the wheel; and .pth files in what is borrowed are
    # not obeyed, so the source tree does not come along.
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    borrowed = {str(Path(pytest.__file__).parents[1])} | {
        path for path in sys.path if path.endswith("site-packages")
    }
    Path(site, "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n", encoding="utf-8")
    place = run(python, "-c", ASK_PLACE, cwd=home)
    assert Path(place).is_relative_to(home)
    return python


def test_the_wheel_carries_data_and_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "fimble/py.typed" in names
    assert "fimble/models/catalogue.toml" in names
    folders = [path for path in (ROOT / "grammars").iterdir() if path.is_dir()]
    assert len(folders) > 20
    for folder in folders:
        for file in folder.iterdir():
            assert f"fimble/grammars/{folder.name}/{file.name}" in names


def test_languages_and_queries_come_from_the_wheel(python, tmp_path):
    known = len(list((ROOT / "grammars").iterdir())) + 1  # and plain text
    assert run(python, "-c", ASK_QUERY, cwd=tmp_path).strip() == str(known)


def test_the_command_is_there(python):
    command = Path(python).with_name("fimble")
    assert run(str(command), "--version").startswith("fimble ")


async def test_it_serves(python, tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": {"return ": "a + b"}}))
    home = {
        name: str(tmp_path / name)
        for name in ("XDG_CONFIG_HOME", "FIMBLE_MODEL_DIR", "FIMBLE_CACHE_DIR")
    }
    command = (python, "-m", "fimble", "serve", "--scripted", str(script))
    text = "def add(a, b):\n    return "
    async with EditorClient(command, os.environ | home) as editor:
        await editor.initialize()
        editor.open(URI, text + "\n")
        await editor.flush()
        (suggestion,) = await editor.inline_completion(URI, len(text))
        assert suggestion.text == "a + b"
        assert await editor.shut_down() == 0
