"""What drafting is worth, measured through two workers."""

import json

import pytest

from fimble.engine.base import Trace
from fimble.errors import FimbleError
from fimble.measure.drafts import Written, bench_drafts, best_gain, figures_of, writing_ms

SOURCE = """\
def area(width, height):
    product = width * height
    print(product)
    return product


"""


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FIMBLE_CACHE_DIR", str(tmp_path / "cache"))


def test_what_one_worker_wrote_the_other_writes_again(tiny, tmp_path, capsys):
    source, report = tmp_path / "area.py", tmp_path / "report.json"
    source.write_text(4 * SOURCE)
    settings = {"model": str(tiny), "optimize": "never", "engine": {"threads": 1}}
    assert (
        bench_drafts(source, name=None, skip=0, keys=16, settings=settings, json_file=report) == 0
    )
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    each = json.loads(report.read_text())["each"]
    assert figures["keys_that_asked"] == len(each) > 0
    assert figures["tokens"] == sum(one["tokens"] for one in each)
    assert all(one["with_drafts_ms"] > 0 and one["without_ms"] > 0 for one in each)


def test_the_gain_is_that_of_all_steps_together():
    each = [
        Written(tokens=11, drafted=4, accepted=3, with_drafts_ms=200, without_ms=300),
        Written(tokens=2, drafted=0, accepted=0, with_drafts_ms=50, without_ms=50),
    ]
    figures = figures_of(each, (1.0, 1.6, 2.0))
    assert figures["gain"] == 1.4
    assert figures["ms_a_token"] == pytest.approx(22.7)
    assert figures["accepted"] == 3
    assert figures["gain_if_all_were_right"] == 1.5


def test_nothing_written_is_one_clear_message():
    with pytest.raises(FimbleError, match="two tokens"):
        figures_of([], ())


def test_without_measured_batches_there_is_nothing_to_gain():
    assert best_gain(()) == 1.0


def test_reading_the_prompt_is_no_part_of_it():
    assert writing_ms(Trace(prefill_ms=900.0, model_ms=1000.0)) == 100.0
