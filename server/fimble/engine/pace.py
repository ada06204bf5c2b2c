"""Fewer threads when the machine is busy.

llama.cpp's threads meet at a barrier some 700 times a token and spin while they wait. When another
program holds a core, each meeting waits for the scheduler: measured with a compiler running on two
cores, two threads took 830 ms a token (up to 8 s), one thread 33 ms, against 21 ms and 36 ms on the
quiet machine. So a step that took far longer than calibrated makes us go on with one thread, and
after a pause, longer each time, all threads are tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from fimble.engine.messages import Profile

FAR_TOO_LONG: Final = 3.0
"""A step that takes this many times what was calibrated did not have the machine to itself."""
IN_A_ROW: Final = 3
"""So many such steps say that the machine is busy; one alone may be a first touch of memory."""
FIRST_PAUSE_S: Final = 4.0
LAST_PAUSE_S: Final = 64.0


class Pace:
    """Watches the steps of one context and sets its threads."""

    def __init__(
        self,
        profile: Profile,
        set_threads: Callable[[int, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._profile = profile
        self._set_threads = set_threads
        self._clock = clock
        self._pause = FIRST_PAUSE_S
        self._alone_until: float | None = None
        self._slow = 0

    def note(self, tokens: int, seconds: float) -> None:
        """Learn what a step of ``tokens`` took, and decide about the next."""
        if self._alone_until is None:
            is_slow = seconds > FAR_TOO_LONG * self._expected(tokens)
            self._slow = self._slow + 1 if is_slow else 0
            if self._slow == IN_A_ROW:
                self._go_alone()
            elif not is_slow and self._pause > FIRST_PAUSE_S:
                self._pause = max(FIRST_PAUSE_S, self._pause * 0.9)
        elif self._clock() >= self._alone_until:
            self._alone_until = None
            self._set_threads(self._profile.n_threads, self._profile.n_threads_batch)

    def _go_alone(self) -> None:
        self._set_threads(1, 1)
        self._slow = 0
        self._alone_until = self._clock() + self._pause
        self._pause = min(LAST_PAUSE_S, 2 * self._pause)

    def _expected(self, tokens: int) -> float:
        """Seconds that reading, and then writing one token, were calibrated to take at most."""
        profile = self._profile
        if profile.n_threads == 1 or not (profile.prefill_rate and profile.decode_rate):
            return float("inf")
        return tokens / profile.prefill_rate + 1 / profile.decode_rate
