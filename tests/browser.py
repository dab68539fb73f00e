"""A real browser, Debian's Chromium, and the rules that axe-core judges accessibility by."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Page, sync_playwright

from roi_local.environment import REPOSITORY

CHROMIUM = os.environ.get("ROI_CHROMIUM", "/usr/bin/chromium")
SCREENSHOTS = Path(os.environ.get("ROI_SCREENSHOTS", REPOSITORY / "build" / "screenshots"))
AXE_VERSION = "4.11.0"

_AXE_CACHE = REPOSITORY / "build" / f"axe-core-{AXE_VERSION}.min.js"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; a machine without one skips its tests."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}; ROI_CHROMIUM names another place")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def keep_screenshot(page: Page, name: str, *, full_page: bool = True) -> Path:
    """Store what the page shows among the artefacts of the tests."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=full_page)
    return path


def axe_source() -> str:
    """Return axe-core, fetched from npm once and kept in `build/`."""
    if not _AXE_CACHE.exists():
        if shutil.which("npm") is None:
            pytest.fail("axe-core comes from npm, which is not installed")
        with TemporaryDirectory() as folder:
            fetched = subprocess.run(
                ["npm", "pack", f"axe-core@{AXE_VERSION}", "--silent"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            if fetched.returncode != 0:
                pytest.fail(f"npm could not fetch axe-core {AXE_VERSION}: {fetched.stderr.strip()}")
            with tarfile.open(Path(folder, f"axe-core-{AXE_VERSION}.tgz")) as package:
                file = package.extractfile("package/axe.min.js")
                assert file is not None
                content = file.read()
        _AXE_CACHE.parent.mkdir(exist_ok=True)
        unfinished = _AXE_CACHE.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(_AXE_CACHE)
    return _AXE_CACHE.read_text(encoding="utf-8")


def accessibility_violations(frame: Page | Frame) -> list[str]:
    """Return one line for each rule of WCAG 2.2 AA or of good practice that the page breaks."""
    # Evaluated by the debugger: the page's own policy lets no foreign script in.
    frame.wait_for_load_state()
    # In one step: a frame that is still on its way to its page would forget the script.
    check = "window.axe.run(document, {resultTypes: ['violations']})"
    results: dict[str, Any] = frame.evaluate(f"() => {{ {axe_source()}; return {check} }}")
    return [
        f"{found['id']} ({found['impact']}): "
        + json.dumps([node["html"][:160] for node in found["nodes"][:3]])
        for found in results["violations"]
    ]
