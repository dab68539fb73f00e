"""Scripts of others are those that their authors published."""

from __future__ import annotations

import hashlib
import json

from roi_web.rendering import STATIC_DIRECTORY

ECHARTS = STATIC_DIRECTORY / "echarts"


def test_echarts_is_the_published_file_with_its_licence_and_notice() -> None:
    origin = json.loads((ECHARTS / "origin.json").read_text(encoding="utf-8"))
    recorded = {name.rpartition("/")[2]: digest for name, digest in origin["files"].items()}
    stored = {path.name for path in ECHARTS.iterdir()} - {"origin.json"}
    assert recorded.keys() == stored == {
        "echarts.common.min.js", "LICENSE", "LICENSE-d3", "NOTICE",
    }  # fmt: skip
    for name, digest in recorded.items():
        content = (ECHARTS / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
    assert f'"{origin["version"]}"' in (ECHARTS / "echarts.common.min.js").read_text("utf-8")
