"""`make up`: what it refuses before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from roi_forecast.errors import UniverseError
from roi_forecast.universe.declarations import UNIVERSE_VARIABLE
from roi_local.commands.up import run_stack
from roi_local.environment import Home


def test_a_universe_that_cannot_be_read_is_refused_and_nothing_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(UNIVERSE_VARIABLE, str(tmp_path / "none.toml"))
    home = Home(tmp_path / "home")
    with pytest.raises(UniverseError, match=r"cannot read the universe file .*none\.toml"):
        run_stack(home, 1)
    assert not home.directory.exists()
