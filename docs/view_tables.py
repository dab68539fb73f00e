"""Write the table of views of docs/sql.md from the views' own comments.

python docs/view_tables.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from roi_forecast.database.views import read_views

PAGE = Path(__file__).with_name("sql.md")

_COMMENT = re.compile(r"COMMENT ON VIEW roi\.\w+ IS\s+'((?:[^']|'')+)'")
_TABLE = re.compile("<!-- views -->\n.*?<!-- end of views -->", re.DOTALL)


def views() -> Iterator[str]:
    """Yield a row for each view with its comment."""
    yield "| view | rows |"
    yield "|---|---|"
    for name, script in sorted(read_views().items()):
        (comment,) = _COMMENT.findall(script)
        meaning = comment.replace("''", "'").removesuffix(".")
        yield f"| `{name}` | {meaning[0].lower()}{meaning[1:]} |"


def page() -> str:
    """Return the page with its table brought up to date."""
    table = "\n".join(("<!-- views -->", *views(), "<!-- end of views -->"))
    return _TABLE.sub(lambda _: table, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
