"""The KV store: a naive model of the cells first, then llama.cpp itself on a tiny model."""

import random
import stat

import numpy as np
import pytest

from fimble.engine.files import HEADER, SegmentFiles
from fimble.engine.kv import FORK_TOKENS, KVCache, common_prefix
from fimble.engine.segments import SEGMENT_TOKENS, Segment, SegmentTree
from history import Limits, check_any_history

BYTES_PER_TOKEN = 10
KEY = bytes(range(16))


class NaiveCells:
    """Sequences as lists of tokens; a blob spells its tokens, so that a mix-up shows."""

    def __init__(self, capacity=10**9):
        self.held = {}
        self.capacity = capacity

    def remove(self, seq, start, end=-1):
        assert end == -1
        self.held[seq] = self.held.get(seq, [])[:start]

    def copy(self, source, target, end):
        assert not self.held.get(target), "the target must be empty: cells would mix"
        self.held[target] = self.held[source][:end]

    def save(self, seq, start, end):
        tokens = np.asarray(self.held[seq][start:end], np.int32)
        assert len(tokens) == end - start
        blob = np.zeros(4 + tokens.nbytes + BYTES_PER_TOKEN * len(tokens), np.uint8)
        blob[:4] = np.frombuffer(np.int32(start).tobytes(), np.uint8)
        blob[4 : 4 + tokens.nbytes] = np.frombuffer(tokens.tobytes(), np.uint8)
        return blob

    def restore(self, seq, blob, end):
        start = int(np.frombuffer(blob[:4].tobytes(), np.int32)[0])
        count = (blob.nbytes - 4) // (4 + BYTES_PER_TOKEN)
        tokens = np.frombuffer(blob[4 : 4 + 4 * count].tobytes(), np.int32).tolist()
        held = self.held.setdefault(seq, [])
        assert len(held) == start, "positions must go on where the sequence ends"
        if sum(map(len, self.held.values())) + count > self.capacity:
            return False
        held.extend(tokens[: end - start])
        return True


def make_cache(cells, n_slots=3, ram_bytes=10**6, files=None):
    return KVCache(cells, n_slots, SegmentTree(ram_bytes=ram_bytes, files=files))


def ask(cache, cells, tokens, stable=None, fork_over=FORK_TOKENS):
    """Claim, read the rest, release; how many tokens were reused and how many restored."""
    slot, restored = cache.claim(tokens, fork_over=fork_over)
    reused = len(slot.tokens)
    slot.tokens.extend(tokens[reused:])
    cells.held.setdefault(slot.seq, []).extend(tokens[reused:])
    slot.stable = len(tokens) if stable is None else stable
    cache.release(slot)
    assert slot.tokens == tokens
    check(cache, cells)
    return reused, restored


def check(cache, cells):
    for slot in cache.slots:
        assert cells.held.get(slot.seq, []) == slot.tokens
        assert slot.stable <= len(slot.tokens)


def finish(steps):
    for _ in steps:
        pass


# --- slots --------------------------------------------------------------------------------


def test_typing_goes_on_in_the_same_slot():
    cells = NaiveCells()
    cache = make_cache(cells)
    file = list(range(500))
    assert ask(cache, cells, file) == (0, 0)
    assert ask(cache, cells, [*file, 7, 8], 500) == (500, 0)
    assert ask(cache, cells, [*file, 9], 500) == (500, 0)
    assert sum(bool(slot.tokens) for slot in cache.slots) == 1


def test_an_equal_prompt_leaves_one_token_to_evaluate():
    cells = NaiveCells()
    cache = make_cache(cells)
    ask(cache, cells, [1, 2, 3])
    assert ask(cache, cells, [1, 2, 3]) == (2, 0)


def test_leaving_a_long_tail_forks_so_that_coming_back_is_free():
    cells = NaiveCells()
    cache = make_cache(cells)
    here = [*range(100), *range(1000, 1001 + FORK_TOKENS)]
    there = [*range(100), *range(5000, 5400)]
    ask(cache, cells, here)
    assert ask(cache, cells, there) == (100, 0)
    assert ask(cache, cells, here) == (len(here) - 1, 0)


def test_what_was_generated_is_cut_however_short_the_prompt_is():
    cells = NaiveCells()
    cache = make_cache(cells)
    file = list(range(20))
    ask(cache, cells, [*file, *range(100, 160)], len(file))
    assert ask(cache, cells, [*file, 7], len(file)) == (20, 0)
    assert sum(bool(slot.tokens) for slot in cache.slots) == 1


def test_running_work_is_neither_cut_nor_dropped():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=2)
    busy, _ = cache.claim([1, 2, 3])
    busy.tokens.extend([1, 2, 3])
    cells.held[busy.seq] = [1, 2, 3]
    other, _ = cache.claim([1, 2, 9])
    assert other.seq != busy.seq
    assert busy.tokens == [1, 2, 3]
    assert cache.claim([4, 5]) is None
    assert not cache.make_room()


# --- parking ------------------------------------------------------------------------------


def file_tokens(number, length=400):
    return [1, *range(10_000 * number, 10_000 * number + length)]


def test_a_file_that_left_the_context_comes_back_from_ram():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=2)
    for number in range(1, 5):
        ask(cache, cells, file_tokens(number))
    reused, restored = ask(cache, cells, file_tokens(1))
    assert reused == len(file_tokens(1)) - 1
    assert restored >= reused - 1


@pytest.mark.parametrize("length", [400, 30])
def test_thinking_ahead_does_not_cost_another_file_its_place(length):
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=3)
    other = file_tokens(1, length)
    ask(cache, cells, other)
    ask(cache, cells, file_tokens(2))
    for number in range(4):
        ask(cache, cells, [*file_tokens(2)[:-1], 7, number], fork_over=0)
    assert ask(cache, cells, [*other, 9]) == (len(other), 0)


def test_what_is_not_known_is_counted():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=1)
    assert cache.unread(file_tokens(1)) == 401
    ask(cache, cells, file_tokens(1))
    assert cache.unread(file_tokens(1)) == 1
    assert cache.unread([*file_tokens(1), 5, 6]) == 2
    ask(cache, cells, file_tokens(2))
    assert cache.unread([*file_tokens(1)[:300], 5]) == 1
    assert cache.unread(file_tokens(3)) == 400


def test_only_the_stable_part_is_parked():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=1)
    ask(cache, cells, [*file_tokens(1), 5, 5, 5], stable=401)
    ask(cache, cells, file_tokens(2))
    assert ask(cache, cells, [*file_tokens(1), 5, 5, 5, 6])[0] == 401


def test_at_the_end_what_was_typed_is_parked_as_well():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=2)
    file = file_tokens(1)
    ask(cache, cells, [*file, 7, 8, 9], len(file))
    finish(cache.park(tails=True))
    for number in (2, 3):
        ask(cache, cells, file_tokens(number))
    reused, restored = ask(cache, cells, [*file, 7, 8, 10])
    assert reused == len(file) + 2
    assert restored == reused - 1, "all but the token that all files begin with"


def test_a_slot_that_is_given_away_while_it_is_parked_is_not_parked_on():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=2)
    file = file_tokens(1, 600)
    ask(cache, cells, file)
    steps = cache.park()
    next(steps)
    edited = [*file[:450], *range(9000, 9150)]
    ask(cache, cells, edited)
    finish(steps)
    for number in (2, 3):
        ask(cache, cells, file_tokens(number))
    ask(cache, cells, file)


def test_what_another_slot_brought_meanwhile_is_not_kept_twice():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=2)
    file = file_tokens(1, 600)
    ask(cache, cells, file)
    first, second = cache.park(), cache.park()
    next(first)
    finish(second)
    finish(first)
    tree = cache._tree
    assert sum(len(each.children) for each in tree._by_id.values()) == len(tree)
    assert tree.ram_used == sum(
        each.blob.nbytes for each in tree._by_id.values() if each.parent != each.id
    )


def test_an_edit_in_the_middle_keeps_what_is_above_it():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=1)
    before = file_tokens(1, 600)
    ask(cache, cells, before)
    ask(cache, cells, file_tokens(2))
    after = [*before[:300], 7, *before[300:]]
    assert ask(cache, cells, after)[0] == 300


def test_equal_beginnings_are_parked_once():
    cells = NaiveCells()
    cache = make_cache(cells, n_slots=2)
    trunk = list(range(3 * SEGMENT_TOKENS))
    for number in range(4):
        ask(cache, cells, [*trunk, *range(1000 * (number + 1), 1000 * (number + 1) + 200)])
    finish(cache.park())
    tree = cache._tree
    held = sum(len(s.tokens) for s in tree._by_id.values())
    assert held == len(trunk) + 4 * 200


def test_ram_stays_under_its_cap_and_children_go_before_parents():
    cells = NaiveCells()
    cap = 3 * SEGMENT_TOKENS * (4 + BYTES_PER_TOKEN)
    cache = make_cache(cells, n_slots=1, ram_bytes=cap)
    for number in range(8):
        ask(cache, cells, file_tokens(number + 1))
        tree = cache._tree
        assert tree.ram_used <= cap
        for segment in tree._by_id.values():
            assert segment.parent in tree._by_id


def test_a_restore_that_does_not_fit_is_cut_short_not_wrong():
    cells = NaiveCells(capacity=900)
    cache = make_cache(cells, n_slots=3)
    for number in (1, 2, 3, 4):
        tokens = file_tokens(number)
        while sum(map(len, cells.held.values())) + len(tokens) > cells.capacity:
            cache.make_room()
        ask(cache, cells, tokens)
    ask(cache, cells, file_tokens(1))


def test_random_prompts_never_mix_cells_up(tmp_path):
    rng = random.Random(11)
    cells = NaiveCells(capacity=3000)
    files = SegmentFiles(tmp_path, KEY, cap_bytes=40_000)
    cache = make_cache(cells, n_slots=3, ram_bytes=12_000, files=files)
    known, upkeep = [[1]], iter(())
    for _ in range(3000):
        base = rng.choice(known)
        tokens = base[: rng.randrange(1, len(base) + 1)]
        tokens = tokens + [rng.randrange(4) for _ in range(rng.randrange(1, 200))]
        while sum(map(len, cells.held.values())) + len(tokens) > cells.capacity:
            if not cache.make_room():
                break
        ask(cache, cells, tokens, stable=rng.randrange(len(tokens) + 1))
        known.append(tokens[:900])
        known = known[-20:]
        action = rng.random()
        if action < 0.1:
            upkeep = cache.park()
        elif action < 0.2:
            upkeep = cache.persist()
        for _ in range(rng.randrange(4)):  # other work comes between its steps
            next(upkeep, None)
        check(cache, cells)
        assert cache._tree.ram_used <= 12_000
        assert files.used <= 40_000


# --- disk ---------------------------------------------------------------------------------


def filled(tmp_path, cells=None):
    cells = cells or NaiveCells()
    files = SegmentFiles(tmp_path, KEY, cap_bytes=10**7)
    cache = make_cache(cells, n_slots=2, files=files)
    ask(cache, cells, file_tokens(1))
    finish(cache.park())
    finish(cache.persist())
    return sorted(tmp_path.glob("*/*.kv"))


def restart(tmp_path):
    cells = NaiveCells()
    files = SegmentFiles(tmp_path, KEY, cap_bytes=10**7)
    return make_cache(cells, n_slots=2, files=files), cells


def test_after_a_restart_the_last_file_is_warm(tmp_path):
    paths = filled(tmp_path)
    assert len(paths) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    cache, cells = restart(tmp_path)
    assert ask(cache, cells, file_tokens(1)) == (400, 400)


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-1],
        lambda data: data[: HEADER.size - 1],
        lambda data: b"",
        lambda data: (
            data[:-5] + b"\x00" + data[-4:] if data[-5] else data[:-5] + b"\x01" + data[-4:]
        ),
        lambda data: b"X" + data[1:],
        lambda data: data[:8] + b"\x09" + data[9:],
        lambda data: data[:12] + bytes(16) + data[28:],
    ],
    ids=["cut", "header cut", "empty", "blob flipped", "magic", "version", "other key"],
)
def test_a_damaged_file_is_ignored_and_removed(tmp_path, harm):
    for path in filled(tmp_path):
        path.write_bytes(harm(path.read_bytes()))
    cache, cells = restart(tmp_path)
    assert ask(cache, cells, file_tokens(1)) == (0, 0)
    assert not list(tmp_path.glob("*/*.kv"))


def test_a_file_under_another_name_is_removed(tmp_path):
    path = filled(tmp_path)[0]
    path.rename(path.with_name("00" * 16 + ".kv"))
    path.with_name("notes.txt").write_text("stray")
    SegmentTree(ram_bytes=10**6, files=SegmentFiles(tmp_path, KEY, cap_bytes=10**7))
    assert not path.with_name("notes.txt").exists()
    assert not path.with_name("00" * 16 + ".kv").exists()


def test_a_lost_parent_takes_its_children_along(tmp_path):
    paths = filled(tmp_path)
    first = min(paths, key=lambda path: HEADER.unpack(path.read_bytes()[: HEADER.size])[4])
    first.unlink()
    cache, cells = restart(tmp_path)
    assert ask(cache, cells, file_tokens(1)) == (0, 0)
    assert not list(tmp_path.glob("*/*.kv"))


def test_a_crash_in_the_middle_of_a_write_loses_nothing_else(tmp_path):
    paths = filled(tmp_path)
    paths[0].with_suffix(".part").write_bytes(paths[0].read_bytes()[:100])
    cache, cells = restart(tmp_path)
    assert ask(cache, cells, file_tokens(1)) == (400, 400)
    assert not list(tmp_path.glob("*/*.part"))


def test_a_full_disk_is_survived(tmp_path, monkeypatch):
    cells = NaiveCells()
    files = SegmentFiles(tmp_path, KEY, cap_bytes=10**7)
    cache = make_cache(cells, n_slots=2, files=files)
    ask(cache, cells, file_tokens(1))
    finish(cache.park())

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.open", full)
        finish(cache.persist())
    assert not list(tmp_path.glob("*/*"))
    assert ask(cache, cells, file_tokens(1))[0] == 400
    finish(cache.persist())
    assert len(list(tmp_path.glob("*/*.kv"))) == 4, "there is room again"


def test_a_file_that_cannot_be_deleted_is_survived(tmp_path, monkeypatch):
    filled(tmp_path)
    cache, cells = restart(tmp_path)

    def in_use(*_args, **_kwargs):
        raise PermissionError(13, "the file is in use")

    monkeypatch.setattr("pathlib.Path.unlink", in_use)
    for segment in list(cache._tree._leaves()):
        cache._tree._forget(segment)
    assert len(cache._tree) == 3
    assert ask(cache, cells, file_tokens(1))[0] == 3 * SEGMENT_TOKENS


def test_another_key_never_sees_the_files(tmp_path):
    filled(tmp_path)
    other = SegmentFiles(tmp_path, bytes(16), cap_bytes=10**7)
    assert list(other.stored()) == []
    assert len(list(tmp_path.glob("*/*.kv"))) == 4


def test_a_segment_reads_back(tmp_path):
    files = SegmentFiles(tmp_path, KEY, cap_bytes=10**6)
    tree = SegmentTree(ram_bytes=10**6, files=files)
    blob = np.arange(200, dtype=np.uint8)
    tree.put(bytes(16), 0, (1, 2, 3), blob)
    (segment,) = tree.unsaved()
    tree.save(segment)
    assert list(tree.unsaved()) == []
    assert np.array_equal(files.read(segment), blob)
    assert files.read(Segment(segment.id, segment.parent, 1, segment.tokens)) is None


def test_common_prefix():
    assert common_prefix([1, 2, 3], [1, 2, 4]) == 2
    assert common_prefix([1, 2], [1, 2, 3]) == 2
    assert common_prefix([], [1]) == 0


# --- llama.cpp itself ---------------------------------------------------------------------


def test_any_history_gives_the_logits_of_a_fresh_prefill(tiny, tmp_path):
    """Thousands of random steps."""
    limits = Limits(steps=4000, checked=10, noise=0.05, ram_bytes=1_500_000, disk_bytes=3_000_000)
    check_any_history(tiny, tmp_path, limits)
