"""`fimble demo` as somebody sees it who tries Fimble for the first time."""

import subprocess
import sys

import pytest

from fimble.measure.places import examples

pytestmark = pytest.mark.real

TIMEOUT_S = 300


def run_demo(*arguments):
    command = [sys.executable, "-m", "fimble", "demo", *arguments]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=TIMEOUT_S, check=False
    )


def test_the_demo_suggests_in_every_example(model_path):
    done = run_demo()
    assert done.returncode == 0, done.stdout + done.stderr
    _, *parts = done.stdout.split("\n\n")
    by_file = {part.split(" ", maxsplit=1)[0]: part for part in parts}
    for example in examples():
        part = by_file[example.path.name]
        assert "{+" in part, "something is suggested in every file, though not at every place"
        assert " reused, " in part
    assert "Milliseconds: median / 95th percentile" in parts[-1]
    assert "first touch " in parts[-1]


def test_the_demo_leaves_files_alone(model_path, tmp_path):
    file = tmp_path / "mine.py"
    text = "def area(width, height):\n    return width * height\n"
    file.write_text(text)
    done = run_demo(str(file), "--model", str(model_path))
    assert "mine.py (Python)" in done.stdout
    assert file.read_text() == text
