"""A server whose engine is launched, fails or crashes as the test wants it to."""

import asyncio
import sys
from threading import Event

from fimble.engine.messages import State
from fimble.engine.scripted import Script, ScriptedEngine
from fimble.errors import DownloadFailed, EngineDown, UnsupportedModel
from fimble.models.profile import cache_directory
from fimble.models.store import model_directory
from fimble.protocol.server import serve_stdio


class Launcher:
    async def launch(self, settings, report):
        return ScriptedEngine(Script(default=settings.model))

    async def has_model(self, settings):
        return False


class Downloading(Launcher):
    """Downloads for ever, unless another model is wanted."""

    async def launch(self, settings, report):
        if settings.model != "big":
            return await super().launch(settings, report)
        await asyncio.to_thread(report, 0.25, "downloading big")
        return await asyncio.get_running_loop().create_future()


class Failing(Launcher):
    """Gets every model but `missing`, `odd` and `buggy`."""

    async def launch(self, settings, report):
        match settings.model:
            case "missing":
                raise DownloadFailed("No source has the model.", "Check the network.")
            case "odd":
                return FailingEngine(Script())
            case "buggy":
                raise ZeroDivisionError("SECRET")
        return await super().launch(settings, report)


class Arriving(Launcher):
    """Gets a model once it has a file."""

    async def launch(self, settings, report):
        if not await self.has_model(settings):
            raise DownloadFailed("No source has the model.", "Check the network.")
        return await super().launch(settings, report)

    async def has_model(self, settings):
        return (model_directory() / settings.model).exists()


class FailingEngine(ScriptedEngine):
    def start(self):
        self.set_state(State.LOADING)
        self.set_state(State.FAILED, UnsupportedModel("This is no GGUF.", "Try another file."))


class Crashing(Launcher):
    """Dies of the word `crash` and is back at once; of `die` it does not come back."""

    async def launch(self, settings, report):
        return CrashingEngine(Script(default="alive"))


class CrashingEngine(ScriptedEngine):
    def generate(self, prompt, **options):
        text = "".join(part for part in prompt.parts if isinstance(part, str))
        for word in ("crash", "die"):
            if text.endswith(f"{word} = "):
                self.set_state(State.DOWN, EngineDown("The model crashed.", "It is restarted."))
                if word == "crash":
                    asyncio.get_running_loop().call_soon(self.set_state, State.READY)
        return super().generate(prompt, **options)


class Broken(Launcher):
    """Has an engine with a bug that quotes the user's text."""

    async def launch(self, settings, report):
        return BrokenEngine(Script())


class BrokenEngine(ScriptedEngine):
    def generate(self, prompt, **options):
        raise ZeroDivisionError(prompt)

    async def prefill(self, prompt, **options):
        raise ZeroDivisionError(prompt)


class Slow(Launcher):
    """Has an engine that does not come to the end of any file."""

    async def launch(self, settings, report):
        return SlowEngine(Script(default="there"))


class SlowEngine(ScriptedEngine):
    async def prefill(self, prompt, **options):
        await asyncio.get_running_loop().create_future()


class Telling(Launcher):
    """Says which of a few words it was shown before the text that it is to complete."""

    async def launch(self, settings, report):
        return TellingEngine(Script())


class TellingEngine(ScriptedEngine):
    WORDS = ("circle_area", "disc_area", "env_token", "ignored_name", "radius_in_metres")

    def generate(self, prompt, **options):
        *before, _ = (part for part in prompt.parts if isinstance(part, str))
        seen = [word for word in self.WORDS if any(word in part for part in before)]
        self._answer = lambda _tail: " + ".join(seen) or "nothing"
        return super().generate(prompt, **options)


class Showing(Launcher):
    """Has an engine that says with which settings it was launched."""

    async def launch(self, settings, report):
        cache = settings.cache
        words = (settings.optimize, cache.ram_megabytes, cache.disk_megabytes)
        return ScriptedEngine(Script(default="_".join(str(word) for word in words)))


class Stuck(Launcher):
    """Has an engine that does not close, and ignores being told to."""

    async def launch(self, settings, report):
        return StuckEngine(Script())


class StuckEngine(ScriptedEngine):
    async def close(self):
        Event().wait()


SCENARIOS = {
    "arriving": Arriving,
    "downloading": Downloading,
    "failing": Failing,
    "crashing": Crashing,
    "broken": Broken,
    "showing": Showing,
    "slow": Slow,
    "stuck": Stuck,
    "telling": Telling,
}

if __name__ == "__main__":
    sys.exit(serve_stdio(SCENARIOS[sys.argv[1]](), cache_directory=cache_directory()))
