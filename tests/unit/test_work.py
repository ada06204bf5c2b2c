"""Work in the background, and what makes an end to it."""

import asyncio
from types import SimpleNamespace

from fimble.features.complete import Completion, Reason
from fimble.protocol.ahead import Ahead
from fimble.protocol.work import Work
from fimble.settings import read
from goldens import snapshot_of


async def test_a_closed_document_ends_the_work_for_it():
    work = Work()
    mine = work.start("reading", asyncio.sleep(60), while_open="file:///a.py")
    others = work.start("reading", asyncio.sleep(0, "read"), while_open="file:///b.py")
    general = work.start("indexing", asyncio.sleep(0, "indexed"))
    work.forget("file:///a.py")
    await work.idle()
    assert mine.cancelled()
    assert (others.result(), general.result()) == ("read", "indexed")


async def test_only_the_latest_of_what_has_the_same_name_goes_on():
    work = Work()
    other = work.start("indexing", asyncio.sleep(0))
    files = [work.start("reading", asyncio.sleep(0), at_most=2) for _ in range(5)]
    await work.idle()
    assert [file.cancelled() for file in files] == [True, True, True, False, False]
    assert not other.cancelled()


async def test_a_file_that_is_opened_again_is_thought_about_again():
    settings, _ = read({"background": "always"})
    server = SimpleNamespace(session=SimpleNamespace(settings=settings), work=Work())
    snapshot, offset = snapshot_of("a.py", "x = █")
    answer, ahead = Completion("1", offset, offset, Reason.SHOWN), Ahead()
    ahead.follow(server, snapshot, answer)
    first = ahead._thought.task
    ahead.follow(server, snapshot, answer)
    assert ahead._thought.task is first
    server.work.forget(snapshot.uri)
    ahead.follow(server, snapshot, answer)
    assert ahead._thought.task is not first
    await server.work.close()
