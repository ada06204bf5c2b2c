"""Whether this is a good time for work that nobody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fimble.settings import Settings


def may_work_ahead(settings: Settings) -> bool:
    """Tell what the setting ``background`` says, which may depend on the battery."""
    if settings.background != "auto":
        return settings.background == "always"
    import psutil  # noqa: PLC0415  (asked for the first time when the model is ready)

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery is None or bool(battery.power_plugged)
