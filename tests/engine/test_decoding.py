"""How fast tokens are written, through the engine and beside llama-bench."""

import json
import sys

import pytest

from fimble.errors import FimbleError
from fimble.measure.decoding import TOKENS, bench_decode, measure
from fimble.settings import DEFAULTS, read

DEPTH = 40
LONG = 400
"""Enough to be worth keeping on disk."""


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FIMBLE_CACHE_DIR", str(tmp_path))


def settings_for(tiny):
    settings, problems = read({"model": str(tiny), "engine": {"threads": 1}}, DEFAULTS)
    assert not problems
    return settings


def fake_bench(tmp_path, answer):
    script = tmp_path / "llama-bench"
    script.write_text(f"#!{sys.executable}\nimport sys\n{answer}\n")
    script.chmod(0o700)
    return script


async def test_both_rates_and_their_ratio_are_told(tiny, tmp_path):
    check = f"assert ('-n', '{TOKENS}', '-d', '{DEPTH}') == tuple(sys.argv[5:9]), sys.argv"
    answer = f"print({json.dumps(json.dumps([{'avg_ts': 50.0}]))})"
    figures = await measure(settings_for(tiny), DEPTH, fake_bench(tmp_path, f"{check}\n{answer}"))
    assert figures["llama_bench"] == 50.0
    assert figures["share"] == pytest.approx(figures["tokens_a_second"] / 50, abs=0.01)
    assert figures["with_drafts"] > 0


async def test_a_llama_bench_that_fails_is_one_clear_message(tiny, tmp_path):
    with pytest.raises(FimbleError, match="llama-bench failed"):
        await measure(settings_for(tiny), DEPTH, fake_bench(tmp_path, "sys.exit(3)"))


def test_what_an_earlier_run_left_on_disk_does_not_make_the_prompt_longer(tiny, capsys):
    first, second = depth_of_a_run(tiny, capsys), depth_of_a_run(tiny, capsys)
    assert first == second
    assert first == pytest.approx(LONG, rel=0.05)


def depth_of_a_run(tiny, capsys):
    assert bench_decode(str(tiny), 1, depth=LONG, llama_bench=None) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["depth"]
