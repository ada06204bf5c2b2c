"""`fimble models optimize`: what is tried, what wins, what is kept, and when it is used."""

import argparse
import stat
from dataclasses import replace

import pytest
from model_server import CONTENT, make_store, raised, web

from fimble import launch
from fimble.engine.compare import Comparison
from fimble.engine.messages import Profile, Rates
from fimble.engine.quantize import Mix, mixes
from fimble.errors import DigestMismatch, DiskFull, EngineDown, ModelError, UnsupportedModel
from fimble.measure import doctor
from fimble.measure.completing import load_rows
from fimble.measure.optimize import (
    Tools,
    Trial,
    choose,
    is_worth_asking,
    is_worth_trying,
    optimize,
)
from fimble.models import cli, optimized
from fimble.models.store import open_store
from fimble.settings import DEFAULTS, read

PROFILE = Profile(0, 1, 1, 512, True)
SLOW = Rates(100.0, 20.0)
Q4, Q4_Q8, NL = Mix("q4_0", "q4_0"), Mix("q4_0", "q8_0"), Mix("iq4_nl", "q4_0")
ROWS = len(load_rows())


def trial(mix, gain, score=None, original=30):
    return Trial(mix, gain, SLOW, Rates(200, 20 * gain), 40, original, score)


class FakeTools:
    """Writes and measures in no time; ``gains`` and ``lost`` are by mix, ``lost`` in rows."""

    def __init__(self, gains, lost=None):
        self.gains = gains
        self.lost = lost or {}
        self.written, self.asked = [], []

    def quantize(self, source, target, mix, *, tick):
        if str(mix) not in self.gains:
            target.write_bytes(b"half")
            raise UnsupportedModel("It is too narrow.")
        tick(10)
        target.write_bytes(CONTENT[: 1000 + len(self.written)])
        self.written.append(str(mix))

    def compare(self, original, other, *, tick):
        tick()
        gain = self.gains[other.stem]
        fast = Rates(SLOW.prefill * gain, SLOW.decode * gain)
        return Comparison(PROFILE, (SLOW,) * 3, (fast, SLOW, fast))

    def answers(self, model, profile, rows, tick):
        assert profile == PROFILE
        tick(len(rows))
        self.asked.append(model.stem)
        lost = 5 + self.lost.get(model.stem, 0)
        return (False,) * lost + (True,) * (len(rows) - lost)

    def tools(self, **options):
        return Tools(self.quantize, self.compare, self.answers, **options)


@pytest.fixture
def store(tmp_path):
    store = make_store(tmp_path / "m", *web("good"))
    store.directory.mkdir()
    (store.directory / "tiny.gguf").write_bytes(CONTENT)
    return store


def run(store, fake, **options):
    entry = store.find("tiny")
    return list(optimize(store, entry, tools=fake.tools(), **options))


def reads(prefill, decode):
    return f"reads {prefill} instead of 100, writes {decode} instead of 20 tokens a second"


def names(store):
    return sorted(path.name for path in store.directory.iterdir() if path.suffix != ".lock")


# --- the suite ----------------------------------------------------------------------------


def test_the_suite_is_well_formed():
    rows = load_rows()
    assert ROWS >= 40
    assert len({row.file for row in rows}) >= 10
    for row in rows:
        assert row.expected.strip()
        assert "\n" not in row.expected
        assert not set("«»") & set(row.text)
        assert not row.text.startswith(row.expected, row.offset)


# --- what wins ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([], None),
        ([trial(Q4, 1.5, 30), trial(Q4_Q8, 1.4, 40)], Q4),
        ([trial(Q4, 1.5, 29)], Q4),
        ([trial(Q4, 1.5, 28), trial(Q4_Q8, 1.4, 29)], Q4_Q8),
        ([trial(Q4, 1.09, 40)], None),
        ([trial(Q4, 1.5)], None),
    ],
)
def test_the_fastest_that_completes_as_well_wins(trials, best):
    chosen = choose(trials)
    assert (chosen and chosen.mix) == best


def test_what_is_tried():
    assert [str(mix) for mix in mixes()][:3] == ["q4_0-q4_0", "q4_0-q6_k", "q4_0-q8_0"]
    assert [str(mix) for mix in mixes("iq4_nl", keep_head=True)] == ["iq4_nl-kept"]
    assert is_worth_trying(Q4_Q8, [trial(Q4, 1.5, 40)])
    assert is_worth_trying(NL, [trial(Q4, 1.5, 20)])
    assert not is_worth_trying(NL, [trial(Q4, 1.5, 40)])
    assert not is_worth_trying(NL, [trial(Q4, 1.0), trial(Q4_Q8, 0.9)])
    assert is_worth_asking(trial(Q4, 1.5), [])
    assert not is_worth_asking(trial(Q4, 1.05), [])
    assert not is_worth_asking(trial(Q4_Q8, 1.4), [trial(Q4, 1.5, 40)])
    assert is_worth_asking(trial(Q4_Q8, 1.4), [trial(Q4, 1.5, 20)])


# --- what is kept -------------------------------------------------------------------------


def test_the_best_is_kept_beside_the_original(store):
    fake = FakeTools({"q4_0-q4_0": 1.8, "q4_0-q8_0": 1.6})
    stages = []
    lines = run(store, fake, progress=lambda done, total, stage: stages.append(stage))
    path = store.directory / "tiny.optimized-q4_0-q4_0.gguf"
    assert fake.asked == ["tiny", "q4_0-q4_0"]
    both = f"completes {ROWS - 5} of {ROWS} rows (original {ROWS - 5})"
    assert lines == [
        f"q4_0-q4_0: 1.80 x as fast ({reads(180, 36)}), {both}",
        "q4_0-q6_k: not possible. It is too narrow.",
        f"q4_0-q8_0: 1.60 x as fast ({reads(160, 32)})",
        f"tiny is optimized: {path} (1000 bytes).",
        'The original is kept; the setting `optimize = "never"` goes back to it.',
    ]
    assert "writing q4_0-q8_0" in stages
    assert "completing code with the original" in stages
    assert names(store) == ["optimized.json", "tiny.gguf", path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    record = optimized.find(store.directory, store.find("tiny"))
    assert (record.types, record.gain, record.size) == ("q4_0-q4_0", 1.8, 1000)
    assert record.original.score == record.optimized.score == ROWS - 5
    assert record.llama_cpp_python


def test_one_that_completes_worse_gives_way_to_the_next(store):
    fake = FakeTools({"q4_0-q4_0": 1.8, "q4_0-q8_0": 1.6}, lost={"q4_0-q4_0": 3})
    run(store, fake)
    assert fake.asked == ["tiny", "q4_0-q4_0", "q4_0-q8_0"]
    assert names(store) == ["optimized.json", "tiny.gguf", "tiny.optimized-q4_0-q8_0.gguf"]


def test_another_type_is_tried_when_none_of_the_first_passes(store):
    gains = {"q4_0-q4_0": 1.8, "iq4_nl-q8_0": 1.3}
    run(store, FakeTools(gains, lost={"q4_0-q4_0": 20}))
    assert names(store) == ["optimized.json", "tiny.gguf", "tiny.optimized-iq4_nl-q8_0.gguf"]


def test_nothing_is_kept_where_nothing_is_faster(store):
    fake = FakeTools({"q4_0-q4_0": 1.02, "q4_0-q8_0": 0.9})
    lines = run(store, fake)
    assert lines[-1] == (
        "No file of tiny that completes as well is 10% faster here: nothing is kept."
    )
    assert fake.asked == []
    assert names(store) == ["tiny.gguf"]


def test_a_new_one_replaces_the_old(store):
    run(store, FakeTools({"q4_0-q4_0": 1.8}))
    run(store, FakeTools({"q4_0-q8_0": 1.6}))
    assert names(store) == ["optimized.json", "tiny.gguf", "tiny.optimized-q4_0-q8_0.gguf"]
    assert [record.types for record in optimized.load(store.directory)] == ["q4_0-q8_0"]


@pytest.mark.parametrize("error", [EngineDown("llama.cpp crashed."), KeyboardInterrupt()])
def test_trouble_leaves_nothing_behind(store, error):
    def fail(*_, **__):
        raise error

    tools = replace(FakeTools({"q4_0-q4_0": 1.8}).tools(), compare=fail)
    with pytest.raises(type(error)):
        list(optimize(store, store.find("tiny"), tools=tools))
    assert names(store) == ["tiny.gguf"]


def test_room_is_looked_for_first(store):
    fake = FakeTools({})
    entry = store.find("tiny")
    full = fake.tools(free_disk=lambda _: 600_000)
    assert "needs 660008 bytes in" in raised(
        DiskFull, lambda: list(optimize(store, entry, tools=full))
    )
    small = fake.tools(free_memory=lambda: 500_600_000)
    message = raised(ModelError, lambda: list(optimize(store, entry, tools=small)))
    assert "needs 501 MB of memory" in message
    assert names(store) == ["tiny.gguf"]


def test_a_damaged_original_is_not_optimized(store):
    (store.directory / "tiny.gguf").write_bytes(b"X" + CONTENT[1:])
    raised(DigestMismatch, lambda: run(store, FakeTools({"q4_0-q4_0": 1.8})))


# --- when it is used ----------------------------------------------------------------------


@pytest.fixture
def faster(store):
    """A store with an optimized file, and that file."""
    run(store, FakeTools({"q4_0-q4_0": 1.8}))
    return store, store.directory / "tiny.optimized-q4_0-q4_0.gguf"


def change(store, **changes):
    (record,) = optimized.load(store.directory)
    optimized._write(store.directory, (replace(record, **changes),))


def test_it_takes_the_originals_place(faster):
    store, path = faster
    assert store.fastest("tiny") == path
    assert store.resolve("tiny") == store.directory / "tiny.gguf"
    assert store.fastest(str(store.directory / "tiny.gguf")) == store.resolve("tiny")


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": "64 x Other"},
        {"gain": 1.05},
        {"source_sha256": "0" * 64},
        {"source_size": 7},
        {"size": 999},
        {"file": "../tiny.gguf", "size": len(CONTENT)},
        {"model": "another"},
    ],
)
def test_it_is_not_used_where_it_does_not_fit(faster, changes):
    store, _ = faster
    change(store, **changes)
    assert store.fastest("tiny") == store.directory / "tiny.gguf"


def test_without_a_readable_record_the_original_is_used(faster):
    store, _ = faster
    (store.directory / "optimized.json").write_bytes(b"[{")
    assert store.fastest("tiny") == store.directory / "tiny.gguf"


def test_the_setting_decides(faster, monkeypatch):
    store, path = faster
    monkeypatch.setattr(launch, "open_store", lambda: store)

    def found(choice):
        settings, problems = read({"model": "tiny", "optimize": choice})
        assert problems == ()
        return launch.find_model(settings)

    assert found("auto") == path
    assert found("never") == store.directory / "tiny.gguf"


# --- the command line ---------------------------------------------------------------------


@pytest.fixture
def command(store, monkeypatch, capsys):
    monkeypatch.setattr(cli, "open_store", lambda: store)

    def command(*arguments, fake=None):
        def make(store, entry, **options):
            return optimize(store, entry, tools=fake.tools(), **options)

        parser = argparse.ArgumentParser(prog="fimble")
        cli.add_parser(parser.add_subparsers(), inspect=lambda path: None, optimize=make)
        args = parser.parse_args(["models", *arguments])
        code = args.run(args)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_the_command_and_its_life(command, store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    fake = FakeTools({"iq4_nl-kept": 1.3})
    code, out, err = command("optimize", "tiny", "--type", "iq4_nl", "--keep-head", fake=fake)
    assert (code, out, fake.written) == (0, "", ["iq4_nl-kept"])
    assert "tiny is optimized" in err
    assert "measuring iq4_nl-kept" in err
    assert "yes, optimized (1.30 x)" in command("list")[1]
    assert command("path", "tiny")[1].strip() == str(store.directory / "tiny.gguf")
    assert command("verify")[0] == 0

    path = store.directory / "tiny.optimized-iq4_nl-kept.gguf"
    path.write_bytes(b"X" * path.stat().st_size)
    code, _, err = command("verify")
    assert code == 1
    assert "is not what `fimble models optimize` wrote" in err

    assert "tiny is removed" in command("rm", "tiny")[2]
    assert names(store) == ["optimized.json"]
    assert optimized.load(store.directory) == ()


def test_ctrl_c_keeps_nothing(command, store):
    fake = FakeTools({})

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    fake.quantize = interrupted
    code, _, err = command("optimize", "tiny", fake=fake)
    assert code == 130
    assert "nothing of it is kept" in err
    assert names(store) == ["tiny.gguf"]


def test_a_model_that_is_not_here(command, store):
    (store.directory / "tiny.gguf").unlink()
    code, _, err = command("optimize", "tiny", fake=FakeTools({}))
    assert code == 1
    assert "fimble models pull tiny" in err


# --- the doctor ---------------------------------------------------------------------------


def test_the_doctor_advises_it_on_x86_until_it_is_done(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    default = store.find(store.catalogue.default)
    monkeypatch.setattr(doctor.platform, "machine", lambda: "x86_64")
    (advice,) = doctor.optimize_advice(store, DEFAULTS)
    assert f"fimble models optimize {default.name}" in advice
    assert doctor.optimize_advice(store, read({"optimize": "never"})[0]) == []
    assert doctor.optimize_advice(store, read({"model": "qwen2.5-coder-1.5b"})[0]) == []
    monkeypatch.setattr(doctor, "find", lambda directory, entry: "a record")
    assert doctor.optimize_advice(store, DEFAULTS) == []
    monkeypatch.setattr(doctor, "find", lambda directory, entry: None)
    monkeypatch.setattr(doctor.platform, "machine", lambda: "arm64")
    assert doctor.optimize_advice(store, DEFAULTS) == []
