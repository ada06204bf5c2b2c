"""The engine's life in the host, with launchers that do what the test says."""

import asyncio
import threading

import pytest

from fimble.engine.messages import Prompt, State
from fimble.engine.scripted import Script, ScriptedEngine
from fimble.errors import (
    EngineClosed,
    EngineDown,
    EngineLoading,
    ModelMissing,
    UnknownModel,
    UnsupportedModel,
)
from fimble.protocol.host import LOOK_SECONDS, EngineHost
from fimble.protocol.work import Work
from fimble.settings import DEFAULTS, Settings

PROMPT = Prompt(parts=("x",))


class HandLauncher:
    """Launches when the test lets it; remembers what it was asked for."""

    def __init__(self):
        self.models = []
        self.engines = []
        self.reports = []
        self.cancelled = []
        self.go = asyncio.Event()
        self.is_here = False
        self.looks = 0

    async def launch(self, settings, report):
        self.models.append(settings.model)
        self.reports.append(report)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(settings.model)
            raise
        if settings.model == "unknown" and not self.is_here:
            raise UnknownModel("No such model.")
        self.engines.append(ScriptedEngine(Script()))
        return self.engines[-1]

    async def has_model(self, settings):
        self.looks += 1
        await asyncio.sleep(0)
        return self.is_here


@pytest.fixture
async def launcher():
    return HandLauncher()


@pytest.fixture
async def work():
    work = Work()
    yield work
    await work.close()


class Clock:
    """Stands still until the test moves it."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def host(launcher, work, clock):
    return EngineHost(launcher, work, clock)


def states(host):
    seen = []
    host.on_status(lambda status: seen.append((status.state, status.stage, status.progress)))
    return seen


async def turn():
    """Let everything that can run on the loop run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_asking_before_there_is_an_engine_says_why(host, launcher):
    host.launch(DEFAULTS)
    await turn()
    with pytest.raises(EngineLoading):
        host.generate(PROMPT, max_tokens=1)
    launcher.go.set()
    await host.settled()
    async with host.generate(PROMPT, max_tokens=1) as generation:
        assert [piece async for piece in generation] == []


async def test_a_failed_launch_is_the_reason_from_then_on(host, launcher):
    launcher.go.set()
    host.launch(Settings(model="unknown"))
    await host.settled()
    await turn()
    assert host.status.state is State.FAILED
    with pytest.raises(UnknownModel):
        host.generate(PROMPT, max_tokens=1)


async def test_a_model_that_came_later_is_found_by_looking_again(host, launcher, clock, work):
    launcher.go.set()
    host.launch(Settings(model="unknown"))
    await work.idle()
    assert host.may_have_come
    await host.look_again()
    assert (host.status.state, launcher.looks) == (State.FAILED, 1)
    launcher.is_here = True
    clock.now = LOOK_SECONDS - 0.1
    assert not host.may_have_come
    await host.look_again()
    assert launcher.looks == 1
    clock.now = LOOK_SECONDS
    await host.look_again()
    assert host.is_coming
    await host.settled()
    assert host.status.state is State.READY
    assert (launcher.models, launcher.looks) == (["unknown", "unknown"], 2)
    clock.now += LOOK_SECONDS
    await host.look_again()
    assert launcher.looks == 2


async def test_what_is_found_is_not_launched_over_other_settings(host, launcher, work):
    launcher.go.set()
    host.launch(Settings(model="unknown"))
    await work.idle()
    launcher.is_here = True
    looking = asyncio.create_task(host.look_again())
    await asyncio.sleep(0)
    host.launch(Settings(model="one"))
    await looking
    await work.idle()
    assert launcher.models == ["unknown", "one"]


async def test_a_model_that_cannot_be_loaded_is_not_found_again(host, launcher, work):
    launcher.go.set()
    launcher.is_here = True
    host.launch(DEFAULTS)
    await work.idle()
    launcher.engines[0].set_state(State.FAILED, UnsupportedModel("This is no GGUF."))
    await host.look_again()
    assert launcher.looks == 0
    # Whoever says something of the settings may have mended the file.
    host.launch_again(DEFAULTS)
    await work.idle()
    assert (host.status.state, len(launcher.engines)) == (State.READY, 2)


async def test_only_what_failed_because_of_its_model_is_launched_again(host, launcher, work):
    host.launch(DEFAULTS)
    await turn()
    host.launch_again(DEFAULTS)
    launcher.go.set()
    await work.idle()
    host.launch_again(DEFAULTS)
    launcher.engines[0].set_state(State.FAILED, EngineDown("It crashes."))
    host.launch_again(DEFAULTS)
    await work.idle()
    assert len(launcher.models) == 1


async def test_a_download_that_the_user_stopped_does_not_begin_by_itself(host, launcher, work):
    host.launch(DEFAULTS)
    await turn()
    host.stop_fetching()
    await work.idle()
    launcher.go.set()
    host.launch_again(DEFAULTS)
    await host.look_again()
    await work.idle()
    assert len(launcher.models) == 1
    host.launch(DEFAULTS)
    await work.idle()
    assert host.status.state is State.READY


async def test_a_new_launch_stops_the_one_under_way(host, launcher):
    host.launch(Settings(model="one"))
    await turn()
    host.launch(Settings(model="two"))
    await turn()
    assert (launcher.models, launcher.cancelled) == (["one", "two"], ["one"])
    launcher.go.set()
    await host.settled()
    assert len(launcher.engines) == 1


async def test_three_launches_in_a_row_leave_one_engine(host, launcher, work):
    launcher.go.set()
    for name in ("one", "two", "three"):
        host.launch(Settings(model=name))
    await work.idle()
    assert host.status.state is State.READY
    running = [one for one in launcher.engines if one.status.state is State.READY]
    assert (len(running), launcher.models[-1]) == (1, "three")


async def test_an_engine_is_closed_before_the_next_is_launched(host, launcher, work):
    launcher.go.set()
    host.launch(Settings(model="one"))
    await work.idle()
    launcher.go.clear()
    host.launch(Settings(model="two"))
    await turn()
    assert launcher.engines[0].status.state is State.STOPPED
    assert host.status.state is State.LOADING
    launcher.engines[0].set_state(State.FAILED, UnknownModel("late"))
    assert host.status.state is State.LOADING


async def test_progress_is_reported_from_any_thread_until_the_engine_is_there(host, launcher):
    seen = states(host)
    host.launch(DEFAULTS)
    await turn()
    thread = threading.Thread(target=launcher.reports[0], args=(0.5, "downloading"))
    thread.start()
    thread.join()
    await turn()
    assert seen[-1] == (State.LOADING, "downloading", 0.5)
    launcher.go.set()
    await host.settled()
    launcher.reports[0](0.9, "late")
    await turn()
    assert host.status.state is State.READY
    assert seen[-1][0] is State.READY


async def test_progress_of_an_earlier_launch_is_not_shown(host, launcher):
    seen = states(host)
    host.launch(Settings(model="one"))
    await turn()
    host.launch(Settings(model="two"))
    await turn()
    launcher.reports[0](0.5, "of one")
    launcher.reports[1](0.1, "of two")
    await turn()
    assert [stage for _, stage, _ in seen if stage] == ["of two"]


async def test_fetching_can_be_stopped_and_begun_again(host, launcher, work):
    host.launch(DEFAULTS)
    await turn()
    assert host.is_fetching
    host.stop_fetching()
    await work.idle()
    assert launcher.cancelled == [DEFAULTS.model]
    assert isinstance(host.status.error, ModelMissing)
    assert host.was_launched
    assert not host.is_fetching
    launcher.reports[0](0.5, "late")
    await turn()
    assert host.status.stage == ""
    launcher.go.set()
    host.launch(DEFAULTS)
    await work.idle()
    assert host.status.state is State.READY
    host.stop_fetching()
    await turn()
    assert host.status.state is State.READY


async def test_switched_off_there_is_no_engine(host, launcher, work):
    launcher.go.set()
    host.launch(DEFAULTS)
    await work.idle()
    host.launch(Settings(enabled=False))
    await work.idle()
    assert host.status.state is State.STOPPED
    assert launcher.engines[0].status.state is State.STOPPED
    assert len(launcher.models) == 1
    with pytest.raises(EngineClosed):
        host.generate(PROMPT, max_tokens=1)


async def test_closing_stops_the_launch_and_may_be_done_twice(host, launcher):
    host.launch(DEFAULTS)
    await turn()
    await host.close()
    await host.close()
    assert launcher.cancelled == [DEFAULTS.model]
    assert host.status.state is State.STOPPED


async def test_work_on_an_old_text_ends_with_none(work):
    asked = asyncio.create_task(work.until_stale("a", asyncio.Event().wait()))
    other = asyncio.create_task(work.until_stale("b", asyncio.Event().wait()))
    await turn()
    work.supersede("a")
    work.supersede("unknown")
    assert await asked is None
    assert not other.done()
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other


async def test_work_that_fails_raises_where_it_is_awaited(work):
    async def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work.until_stale("a", fail())


async def test_idle_waits_for_work_that_work_starts(work):
    done = []

    async def second():
        done.append(2)

    async def first():
        await asyncio.sleep(0)
        work.start("second", second())

    work.start("first", first())
    await work.idle()
    assert done == [2]
