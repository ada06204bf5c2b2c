"""Rewriting and comparing model files with the real llama.cpp, on a tiny model."""

import hashlib
import subprocess
import sys

import gguf
import pytest

from fimble.engine import child
from fimble.engine.compare import ROUNDS, compare, typical
from fimble.engine.inspect import inspect_model
from fimble.engine.quantize import Mix, quantize
from fimble.errors import EngineDown, ModelMissing, UnsupportedModel
from fimble.measure.completing import answers_of
from fimble.measure.optimize import Tools, optimize
from fimble.models.catalogue import Catalogue, Entry
from fimble.models.store import Store
from tiny import PROFILE, TIMEOUT_S


def types(path):
    return {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}


@pytest.mark.parametrize(
    ("mix", "body", "head"),
    [
        (Mix("q4_0", "q4_0"), "Q4_0", "Q4_0"),
        (Mix("q4_0", "q8_0"), "Q4_0", "Q8_0"),
        (Mix("iq4_nl", "kept"), "IQ4_NL", "F32"),
    ],
)
def test_a_file_is_rewritten(tiny, tmp_path, mix, body, head):
    target = tmp_path / "other.gguf"
    seen = []
    quantize(tiny, target, mix, tick=seen.append)
    found = types(target)
    assert found["blk.0.ffn_up.weight"] == body
    assert found["output.weight"] == head
    assert found["token_embd.weight"] == "Q8_0"  # noqa: S105
    assert seen[-1] <= target.stat().st_size
    assert inspect_model(target).sentinels == inspect_model(tiny).sentinels


def test_a_type_that_does_not_fit_is_refused(tiny, tmp_path):
    with pytest.raises(UnsupportedModel, match="64 wide"):
        quantize(tiny, tmp_path / "x.gguf", Mix("q4_0", "q6_k"), tick=lambda _: None)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"GGUF" + b"\xff" * 5000)
    for path, error in ((junk, UnsupportedModel), (tmp_path / "none.gguf", ModelMissing)):
        with pytest.raises(error):
            quantize(path, tmp_path / "x.gguf", Mix("q4_0", "q4_0"), tick=lambda _: None)


def test_a_place_that_cannot_be_written_is_one_message(tiny, tmp_path):
    with pytest.raises(UnsupportedModel, match="could not write"):
        quantize(tiny, tmp_path, Mix("q4_0", "q4_0"), tick=lambda _: None)


def test_two_files_are_compared_by_turns(tiny):
    comparison = compare(tiny, tiny, tick=lambda: None)
    assert len(comparison.original) == len(comparison.other) == ROUNDS
    assert comparison.gain > 0
    assert typical(comparison.other).decode > 0


def test_a_crash_is_one_message(tmp_path, monkeypatch):
    (tmp_path / "crash.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineDown, match=r"llama.cpp crashed \(exit code -6\)"):
        child.ask("crash", [], str)


def test_a_child_that_hangs_is_ended(tmp_path, monkeypatch):
    (tmp_path / "hang.py").write_text("input()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineDown, match="did not answer"):
        child.ask("hang", [], str, timeout_s=0.1)


def test_a_child_leaves_with_its_parent():
    work = "import threading, fimble.engine.child as c; c.answer(threading.Event().wait)"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE) as process:
        process.stdin.close()
        assert process.wait(TIMEOUT_S) == 1


def test_the_whole_way_from_a_model_to_its_record(tiny, tmp_path):
    content = tiny.read_bytes()
    (tmp_path / "tiny.gguf").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    entry = Entry("tiny", "tiny.gguf", len(content), digest, "MIT", "For tests.")
    store = Store(tmp_path, Catalogue("tiny", (entry,)))

    def compared(original, other, *, tick):
        # Rates of a model of microseconds say nothing; the ratio is made up.
        measured = compare(original, other, tick=tick)
        fast = tuple(type(one)(one.prefill * 2, one.decode * 2) for one in measured.original)
        return type(measured)(PROFILE, measured.original, fast)

    def answers(model, profile, rows, tick):
        return answers_of(model, profile, rows[:2], tick)

    tools = Tools(compare=compared, answers=answers)
    lines = list(optimize(store, entry, keep_head=True, tools=tools))
    assert "2.00 x as fast" in lines[0]
    path = store.fastest("tiny")
    assert path.name == "tiny.optimized-q4_0-kept.gguf"
    assert types(path)["blk.1.attn_q.weight"] == "Q4_0"
