from types import SimpleNamespace

import psutil
import pytest

from fimble.protocol.power import may_work_ahead
from fimble.settings import read


@pytest.mark.parametrize(
    ("setting", "plugged", "may"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("auto", None, True),
        ("always", False, True),
        ("never", True, False),
    ],
)
def test_background_work_follows_the_setting_and_the_battery(monkeypatch, setting, plugged, may):
    battery = None if plugged is None else SimpleNamespace(power_plugged=plugged)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    settings, _ = read({"background": setting})
    assert may_work_ahead(settings) is may
