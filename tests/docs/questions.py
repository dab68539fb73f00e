"""The numbered questions of docs/sql.md with their queries."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
QUESTIONS: dict[int, str] = {
    int(number): query
    for number, query in re.findall(
        r"^### (\d+)\. [^\n]+\n\n```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
}
