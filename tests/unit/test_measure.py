import io

import pytest
from rich.console import Console

from fimble.errors import FimbleError
from fimble.measure.bench import FILE_LINES, INSIDE_LINE, MARKED_LINE, generated_file
from fimble.measure.doctor import (
    Findings,
    doctor,
    install_llama,
    look_at_settings,
    show,
    speed_advice,
)
from fimble.measure.figures import Sample, percentile, sample, summary
from fimble.measure.places import examples, keys_of, own_files
from fimble.measure.screen import Screen
from fimble.models.store import open_store
from fimble.protocol.client import Suggestion
from fimble.settings import read
from fimble.source.languages import PLAIN, Languages

EXPLANATION = {
    "reason": "shown",
    "trace": {
        "promptTokens": 100,
        "reused": 97,
        "evaluated": 3,
        "generated": 5,
        "queueMs": 1.0,
        "modelMs": 40.0,
    },
    "outsideMs": 2.0,
}


def paper():
    """A screen without colours and what is written on it."""
    file = io.StringIO()
    return Screen(Console(file=file, width=100, highlight=False, markup=False)), file


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7], 0.95, 7),
        ([3, 1, 2], 0.5, 2),
        (range(1, 101), 0.95, 95),
        (range(1, 11), 0.95, 10),
        (range(1, 11), 0.0, 1),
    ],
)
def test_percentile(values, share, expected):
    assert percentile(list(values), share) == expected


def test_a_sample_tells_the_model_from_the_rest():
    one = sample("key press", 45.0, EXPLANATION)
    assert one == Sample("key press", 45.0, 41.0, 2.0)
    assert one.outside_ms == 4.0
    assert summary([one])["outside_ms_p95"] == 4.0


def test_every_example_is_a_language_of_its_own_and_can_be_typed_in():
    languages = Languages.load()
    found = examples()
    ids = {languages.for_path(str(example.path)).id for example in found}
    assert PLAIN.id not in ids
    assert len(ids) == len(found) >= 6
    for example in found:
        offsets = [place.offset for place in example.places]
        # The demo goes backwards, so that what it types moves no place still to come.
        assert offsets == sorted(offsets)
        assert all(place.keys for place in example.places)


def test_without_examples_the_demo_says_what_to_do(tmp_path):
    with pytest.raises(FimbleError, match=r"`fimble demo src/main\.py`"):
        examples(tmp_path)


def test_enter_brings_its_indentation():
    assert keys_of("\n    re\r\n\tx") == ("\n    ", "r", "e", "\r\n\t", "x")


def test_lines_of_own_files_lose_their_second_half(tmp_path):
    file = tmp_path / "mine.go"
    file.write_bytes(b"package mine\r\n\r\n\tfunc add(a, b int) int {\r\n")
    (example,) = own_files([file])
    (place,) = example.places
    cut = example.text[place.offset : place.offset + place.removed]
    assert cut == "b int) int {"
    assert place.keys == tuple(cut[:4])


def test_own_files_without_code_are_refused(tmp_path):
    file = tmp_path / "empty.py"
    file.write_text("x = 1\n")
    with pytest.raises(FimbleError, match="no line that is worth completing"):
        own_files([file])


def test_ghost_text_stands_in_its_place():
    screen, file = paper()
    text = "one\n\tadd(a)\n"
    screen.suggestion(text, 9, Suggestion("file:///x", "b,\n\tc)", 9, 11))
    assert file.getvalue() == "    2 | \tadd({+b,\n      | \tc)+}\n".replace("\t", "    ").replace(
        "|", "\u2502"
    )


def test_the_bar_shows_what_was_reused():
    screen, file = paper()
    screen.cost(EXPLANATION, 45.0)
    assert "prompt 100 tokens: 97 reused, 3 read, 5 written; 45 ms" in file.getvalue()
    assert file.getvalue().count("\u2588") == 23


def test_progress_without_a_terminal_is_a_line_for_each_tenth():
    screen, file = paper()
    with screen.progress() as show_progress:
        for percent in range(101):
            show_progress(percent / 100, "downloading")
    lines = file.getvalue().split("\n")
    assert lines[:2] == ["downloading: 0%", "downloading: 10%"]
    assert len([line for line in lines if line]) == 11


def test_the_generated_file_is_what_the_benchmark_needs():
    text = generated_file(FILE_LINES)
    assert text.count("\n") == FILE_LINES
    assert INSIDE_LINE in text[len(text) // 2 :]
    assert MARKED_LINE in text[len(text) // 2 :]
    compile(text, "generated.py", "exec")


def test_the_doctor_says_what_is_wrong_with_settings():
    findings = Findings()
    _, problems = read({"completion": {"maxTokens": 0}})
    look_at_settings(findings, problems)
    (advice,) = findings.advice
    assert "`completion.maxTokens` has a bad value" in advice
    assert findings.usable


def test_the_doctor_knows_smaller_models(tmp_path):
    store = open_store(tmp_path)
    small, big = sorted(store.catalogue.models, key=lambda entry: entry.size)
    assert small.name in speed_advice(store, big.size, has_gpu=True)[0]
    assert all(small.name not in advice for advice in speed_advice(store, small.size, has_gpu=True))


def test_the_doctor_builds_the_pinned_llama():
    command = install_llama("-DGGML_CUDA=on")
    assert command.startswith('CMAKE_ARGS="-DGGML_CUDA=on" ')
    assert "llama-cpp-python==" in command


def test_without_a_model_the_doctor_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    for name in ("XDG_CONFIG_HOME", "FIMBLE_MODEL_DIR", "FIMBLE_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    assert doctor() == 1
    told = capsys.readouterr().out
    assert "grammars     23 of 23 languages" in told
    assert "Run `fimble models pull qwen2.5-coder-0.5b`." in told
    assert list(tmp_path.iterdir()) == [], "looking changes nothing"


def test_the_doctors_verdict():
    file = io.StringIO()
    findings = Findings()
    findings.add("model", "tiny", "here")
    findings.broken("Buy memory.")
    show(findings, Console(file=file, width=20, highlight=False, markup=False))
    assert file.getvalue() == (
        "model        tiny\n             here\n\n- Buy memory.\n"
        "Fimble cannot complete code like this.\n"
    )
