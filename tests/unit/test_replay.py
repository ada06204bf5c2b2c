import argparse
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from fimble.errors import FimbleError
from fimble.features.complete import TYPED_ALONG
from fimble.measure import llamavim, plot
from fimble.measure.course import Look, course_figures
from fimble.measure.peer import Pair, Theirs, both_answer, comparisons, flat, peer_flags
from fimble.measure.replay_figures import (
    Answer,
    Key,
    decode_step_ms,
    key_of,
    latency,
    tokens,
    typing_figures,
    waiting_figures,
)
from fimble.measure.suites import add_suites
from fimble.measure.trace import (
    TYPO,
    Kind,
    apply,
    find_blocks,
    load,
    read_trace,
    typed_into_itself,
)
from fimble.measure.typist import line_below

RECORDED = {
    "startContent": "",
    "endContent": "<p>\U0001f600 h\u00e9(x)</p>\n",
    "txns": [
        {"time": "2020-01-01T00:00:00.000Z", "patches": [[0, 0, "<p>\U0001f600</p>\n"]]},
        {"time": "2020-01-01T00:00:01.000Z", "patches": [[4, 0, " "]]},
        {"time": "2020-01-01T00:00:01.000Z", "patches": [[5, 0, "h"]]},
        {"time": "2020-01-01T00:00:01.000Z", "patches": []},
        {"time": "2020-01-01T00:00:02.000Z", "patches": [[6, 0, "e"]]},
        {"time": "2020-01-01T00:00:02.000Z", "patches": [[6, 1, ""]]},
        {"time": "2020-01-01T00:00:03.000Z", "patches": [[6, 0, "\u00e9"]]},
        {"time": "2020-01-01T00:00:03.000Z", "patches": [[7, 0, "()"]]},
        {"time": "2020-01-01T00:00:03.000Z", "patches": [[8, 0, "x"]]},
        {"time": "2020-01-01T00:00:04.000Z", "patches": [[9, 1, ")"], [0, 1, "<"]]},
    ],
}

SOURCE = """\
def first(values):
    total = 0
    for value in values:
        total += value
    return total


def second(values):

    low = min(values)
    high = max(values)
    return high - low
"""


def written(tmp_path, recorded, name="trace.json.gz"):
    file = tmp_path / name
    data = json.dumps(recorded).encode()
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return file


def key(kind=Kind.TYPE, answer=Answer.MODEL, reason="shown", **changes):
    """A key that took 100 ms, 90 of them in the model: 30 to read 2 of 100 tokens, 60 to write."""
    fields = {
        "total_ms": 100.0,
        "server_ms": 95.0,
        "queue_ms": 0.0,
        "first_token_ms": 30.0,
        "model_ms": 90.0,
        "prompt_tokens": 100,
        "reused": 98,
        "restored": 0,
        "evaluated": 2,
        "generated": 4,
        "drafted": 0,
        "accepted": 0,
    }
    return Key(kind=kind, answer=answer, reason=reason, **(fields | changes))


# --- recorded traces --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["trace.json.gz", "trace.json"])
def test_a_recorded_trace_leads_from_its_start_to_its_end(tmp_path, name):
    trace = load(written(tmp_path, RECORDED, name), None)
    assert trace.start == RECORDED["startContent"]
    assert trace.end() == RECORDED["endContent"]
    assert trace.name == "trace.html"


def test_each_step_knows_what_it_is_and_where_it_leads(tmp_path):
    steps = read_trace(written(tmp_path, RECORDED), "x.txt").steps
    assert [(step.kind, step.cursor) for step in steps] == [
        (Kind.EDIT, 4),  # the next key goes there
        (Kind.TYPE, 5),
        (Kind.TYPE, 6),
        (Kind.TYPE, 7),
        (Kind.BACKSPACE, 6),
        (Kind.TYPE, 7),
        (Kind.EDIT, 8),  # between the brackets
        (Kind.TYPE, 9),
        (Kind.EDIT, 1),
    ]


def test_a_jump_is_an_edit_away_from_the_cursor(tmp_path):
    patches = [[0, 0, "one\ntwo"], [0, 0, "x"], [8, 0, "\n  "]]
    recorded = {
        "startContent": "",
        "endContent": "xone\ntwo\n  ",
        "txns": [{"patches": [patch]} for patch in patches],
    }
    steps = read_trace(written(tmp_path, recorded), None).steps
    assert [step.kind for step in steps] == [Kind.EDIT, Kind.TYPE, Kind.JUMP]


@pytest.mark.parametrize("recorded", [{}, {**RECORDED, "endContent": "something else"}, [1, 2]])
def test_what_is_no_trace_is_refused(tmp_path, recorded):
    with pytest.raises(FimbleError, match="no keystroke trace"):
        load(written(tmp_path, recorded), None)


def test_a_stretch_begins_with_what_came_before_it(tmp_path):
    trace = read_trace(written(tmp_path, RECORDED), None)
    part = trace.stretch(2, 3)
    assert part.start == "<p>\U0001f600 </p>\n"
    assert part.steps == trace.steps[2:5]
    assert trace.stretch(4, 0).end() == trace.end()
    with pytest.raises(FimbleError, match="only 9 keys"):
        trace.stretch(9, 1)


# --- traces made from a source file -----------------------------------------------------------


def test_blocks_are_what_is_indented():
    assert [SOURCE[start:end] for start, end in find_blocks(SOURCE)] == [
        "\n    total = 0\n    for value in values:\n        total += value\n    return total",
        "\n\n    low = min(values)\n    high = max(values)\n    return high - low",
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_typed_into_itself_is_itself(newline):
    text = SOURCE.replace("\n", newline)
    trace = typed_into_itself("x.py", text)
    assert trace == typed_into_itself("x.py", text)
    assert trace.start == trace.end() == text
    kinds = {step.kind for step in trace.steps}
    assert kinds == {Kind.JUMP, Kind.TYPE, Kind.ENTER, Kind.BACKSPACE, Kind.ACCEPT}


def test_each_step_of_a_made_trace_leaves_the_cursor_behind_what_it_typed():
    trace = typed_into_itself("x.py", SOURCE)
    text, typed = trace.start, []
    for step in trace.steps:
        text = apply(text, step.patches)
        typed += [text[step.cursor - len(patch.inserted) : step.cursor] for patch in step.patches]
    assert typed == [patch.inserted for step in trace.steps for patch in step.patches]
    assert typed.count(TYPO) > 5
    assert "\n    " in typed


def test_accepting_changes_no_text():
    trace = typed_into_itself("x.py", SOURCE)
    shorter = trace.without(Kind.ACCEPT)
    assert len(shorter.steps) < len(trace.steps)
    assert shorter.end() == SOURCE


def test_a_file_without_blocks_is_refused():
    with pytest.raises(FimbleError, match="no indented block"):
        typed_into_itself("x.txt", "one\ntwo\n")


def test_the_example_is_a_trace():
    trace = load(None, None)
    assert trace.name == "warehouse.py"
    assert sum(step.kind is Kind.JUMP for step in trace.steps) == 3
    assert trace.end() == trace.start


@pytest.mark.parametrize(
    ("text", "expected"),
    [("  on|e\ntwo", (5, "\n  ")), ("one\n\ttw|o", (8, "\n\t")), ("|", (0, "\n"))],
)
def test_a_line_below_is_indented_alike(text, expected):
    assert line_below(text.replace("|", ""), text.index("|")) == expected


# --- figures ----------------------------------------------------------------------------------


def test_a_key_is_what_the_editor_and_the_server_say():
    trace = {
        "promptTokens": 100,
        "reused": 98,
        "restored": 1,
        "evaluated": 2,
        "generated": 4,
        "drafted": 3,
        "accepted": 2,
        "queueMs": 1.0,
        "prefillMs": 30.0,
        "modelMs": 90.0,
    }
    explanation = {"reason": "shown", "detail": "newline", "trace": trace, "totalMs": 95.0}
    one = key_of(Kind.ENTER, 100.0, explanation)
    assert one.first_token_ms == 31.0
    assert (one.answer, one.total_ms, one.server_ms) == (Answer.MODEL, 100.0, 95.0)
    nothing = dict.fromkeys(trace, 0)
    along = explanation | {"detail": TYPED_ALONG, "trace": nothing}
    assert key_of(Kind.TYPE, 1.0, along).answer is Answer.ALONG
    refused = explanation | {"reason": "mid_word", "trace": nothing}
    assert key_of(Kind.TYPE, 1.0, refused).answer is Answer.REFUSED


def test_latencies_are_percentiles():
    assert latency([]) == {"count": 0}
    assert latency(range(1, 201)) == {"count": 200, "p50": 100, "p95": 190, "p99": 198}


def test_tokens_have_a_median_and_a_mean():
    assert tokens([1, 1, 2, 40]) == {"count": 4, "median": 1.5, "mean": 11.0, "p95": 40}
    assert tokens([]) == {"count": 0}


def test_typing_is_summed_up():
    along = {"prompt_tokens": 0, "reused": 0, "evaluated": 0, "generated": 0, "model_ms": 0.0}
    keys = [
        key(),
        key(Kind.JUMP, evaluated=40, reused=60, total_ms=900.0),
        key(answer=Answer.ALONG, total_ms=1.0, server_ms=0.2, first_token_ms=0.0, **along),
        key(answer=Answer.REFUSED, reason="mid_word", first_token_ms=0.0, **along),
    ]
    figures = typing_figures(keys)
    assert figures["first_line_ms"]["every key"]["count"] == 4
    assert figures["first_line_ms"]["after a jump"]["p50"] == 900.0
    assert figures["evaluated"] == {"count": 2, "median": 21, "mean": 21.0, "p95": 40}
    assert figures["reuse_ratio"] == 0.79
    assert figures["share"] == {"model": 0.5, "typed along": 0.25, "refused": 0.25}
    assert figures["typed_along_server_ms"]["p95"] == 0.2
    assert figures["decode_step_ms"] == 20.0
    assert figures["reasons"] == {"mid_word": 1, "shown": 3}


def test_short_answers_do_not_tell_how_long_a_step_takes():
    assert decode_step_ms([key(generated=2)]) is None


def test_waiting_is_what_neither_the_model_nor_the_usual_way_takes():
    keys = [
        key(total_ms=100.0, queue_ms=1.0),
        key(total_ms=138.0, queue_ms=3.0),
        key(answer=Answer.ALONG, total_ms=900.0, queue_ms=9.0),
    ]
    figures = waiting_figures(keys, usual_ms=8.0, step_ms=20.0)
    assert figures == {
        "count": 2,
        "p50": 2.0,
        "p95": 40.0,
        "p99": 40.0,
        "p95_queue_ms": 3.0,
        "p95_decode_steps": 2.0,
    }
    assert waiting_figures([], usual_ms=8.0, step_ms=20.0) == {"count": 0}


# --- llama.vim --------------------------------------------------------------------------------


def test_llama_vim_asks_like_this():
    text = "import os\n\ndef f(a):\n    return a.|s\n\nprint(f)\n"
    place = llamavim.local(text.replace("|", ""), text.index("|"))
    assert llamavim.request(place, max_tokens=24, max_predict_ms=250) == {
        "id_slot": 0,
        "input_prefix": "import os\n\ndef f(a):\n",
        "input_suffix": "s\n\nprint(f)\n",
        "input_extra": [],
        "prompt": "    return a.",
        "n_predict": 24,
        "stop": ["\n"],
        "n_indent": 4,
        "top_k": 40,
        "top_p": 0.90,
        "samplers": ["top_k", "top_p", "infill"],
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": 500,
        "t_max_predict_ms": 250,
        "response_fields": [
            "content",
            "timings/prompt_n",
            "timings/prompt_ms",
            "timings/prompt_per_token_ms",
            "timings/prompt_per_second",
            "timings/predicted_n",
            "timings/predicted_ms",
            "timings/predicted_per_token_ms",
            "timings/predicted_per_second",
            "truncated",
            "tokens_cached",
        ],
    }


def test_its_windows_are_256_and_64_lines():
    lines = [f"line {number}" for number in range(500)]
    text = "\n".join(lines) + "\n"
    place = llamavim.local(text, text.index("line 300") + 4)
    assert place.prefix == "\n".join(lines[44:300]) + "\n"
    assert (place.middle, place.rest) == ("line", " 300")
    assert place.suffix == " 300\n" + "\n".join(lines[301:365]) + "\n"


def test_a_line_of_white_space_is_asked_from_its_beginning():
    place = llamavim.local("if x:\n    \nend", 8)
    assert (place.middle, place.indent, place.suffix) == ("", 0, "\nend\n")


def test_it_does_not_ask_in_the_middle_of_a_line():
    text = "return value"
    assert llamavim.asks_here(llamavim.local(text, 4))
    assert not llamavim.asks_here(llamavim.local(text, 3))


def test_what_would_be_accepted_is_on_the_line():
    ahead = llamavim.local_if_accepted("if x:\n    re\nend", 12, "turn y")
    assert (ahead.prefix, ahead.middle, ahead.suffix) == ("if x:\n", "    return y", "\nend\n")
    ahead = llamavim.local_if_accepted("if x:\n  \nend", 8, "    return y")
    assert ahead.middle == "    return y"


def test_its_cache_answers_who_types_along():
    cache = llamavim.SuggestionCache()
    text = "a = 1\nb = "
    place = llamavim.local(text, len(text))
    assert cache.get(place) is None
    cache.put(place, "a + 1")
    assert place in cache
    assert cache.get(place) == "a + 1"
    assert cache.get(llamavim.local(text + "a +", len(text) + 3)) == " 1"
    assert cache.get(llamavim.local(text + "a + 1", len(text) + 5)) is None
    assert cache.get(llamavim.local(text + "b", len(text) + 1)) is None


def test_its_cache_knows_a_window_that_moved_on():
    cache = llamavim.SuggestionCache()
    place = llamavim.local("one\ntwo\nthr", 11)
    cache.put(place, "ee")
    assert cache.get(replace(place, prefix="two\n")) == "ee"
    assert cache.get(replace(place, prefix="")) is None


def test_its_cache_forgets_what_is_oldest():
    cache = llamavim.SuggestionCache()
    places = [llamavim.local(f"{number}", 1) for number in range(400)]
    for place in places:
        cache.put(place, "x")
    assert places[0] not in cache
    assert places[-1] in cache


# --- the comparison ---------------------------------------------------------------------------


def test_the_peer_runs_with_our_threads_and_its_documented_flags():
    profile = {"nThreads": 2, "nThreadsBatch": 4, "nGpuLayers": 0}
    assert " ".join(peer_flags(profile)) == (
        "--ubatch-size 512 --batch-size 1024 --ctx-size 0 --cache-reuse 256 -fa on"
        " --threads 2 --threads-batch 4 -ngl 0"
    )


def test_keys_that_the_peers_client_knows_cost_nothing_or_are_left_out():
    pairs = [
        Pair(0, key(total_ms=100.0, evaluated=2), Theirs(1000.0, 244, 5, is_cached=False)),
        Pair(1, key(total_ms=50.0, evaluated=1), Theirs(800.0, 240, 5, is_cached=True)),
        Pair(2, key(answer=Answer.ALONG, total_ms=1.0), Theirs(900.0, 241, 5, is_cached=False)),
        Pair(3, key(answer=Answer.REFUSED, total_ms=1.0), Theirs(900.0, 241, 5, is_cached=False)),
        Pair(4, key(), None),
        Pair(5, key(Kind.JUMP, Answer.ALONG), Theirs(900.0, 241, 5, is_cached=False)),
    ]
    assert [both_answer(pair) for pair in pairs] == [True, True, True, False, False, True]
    found = comparisons(pairs)
    both = found["both ask the model"]
    assert (both["fimble_ms"]["p50"], both["peer_ms"]["p50"]) == (100.0, 1000.0)
    assert (both["ratio_p50"], both["peer_evaluated"]["mean"]) == (0.1, 244)
    cached = found["all, with its client cache"]
    assert (cached["peer_ms"]["p50"], cached["peer_ms"]["count"]) == (900.0, 4)
    assert (cached["peer_evaluated"]["median"], cached["peer_cached"]) == (241, 1)
    assert cached["fimble_typed_along"] == 2
    assert found["all, without that cache"]["peer_evaluated"]["median"] == 241
    assert found["no jumps, without that cache"]["fimble_ms"]["count"] == 3
    assert [flat(pair)["both"] for pair in pairs] == [True, False, False, False, False, False]


# --- the command ------------------------------------------------------------------------------


def test_the_suites_have_their_options():
    parser = argparse.ArgumentParser()
    add_suites(parser)
    args = parser.parse_args(["peer", "--server", "llama-server", "x.py", "--keys", "5"])
    assert (args.server.name, args.file.name, args.keys) == ("llama-server", "x.py", 5)
    assert parser.parse_args(["replay"]).file is None
    assert parser.parse_args(["replay", "--root", "."]).root == Path()
    assert parser.parse_args(["drafts", "--settings", "cache.ramMegabytes=9"]).settings == [
        {"cache": {"ramMegabytes": 9}}
    ]
    assert parser.parse_args(["startup"]).runs == 0


def test_a_plot_that_cannot_be_drawn_is_refused_before_the_measurement(monkeypatch, tmp_path):
    with pytest.raises(FimbleError, match=r"\.svg or \.png"):
        plot.check(tmp_path / "plot.txt")
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    with pytest.raises(FimbleError, match=r"fimble\[report\]"):
        plot.check(tmp_path / "plot.svg")


# --- the course of a long replay --------------------------------------------------------------


def test_growth_is_told_without_the_state_that_is_kept_on_purpose():
    def look(keys, worker_mb, parked_mb):
        return Look(keys, 60.0, worker_mb, parked_mb, 0.0, 100, 3, restarts=0, errors=0)

    looks = [look(10, 500.0, 0.0), look(20, 600.0, 90.0), look(30, 720.0, 200.0)]
    figures = course_figures(looks)
    assert figures["growth_mb"] == 10.0
    assert figures["growth_keys"] == 10
    assert [one["keys"] for one in figures["looks"]] == [10, 20, 30]
