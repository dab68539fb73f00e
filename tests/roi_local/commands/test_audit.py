from __future__ import annotations

import re
import subprocess

import pytest

from requirements_file import read_pins
from roi_local.commands import audit
from roi_local.commands.audit import audit_command, read_audit
from roi_local.environment import REPOSITORY

SOUND = {"name": "numpy", "version": "2.4.0", "vulns": []}
KNOWN = {
    "name": "celery",
    "version": "5.6.3",
    "vulns": [{"id": "CVE-2099-1", "fix_versions": ["5.6.4"]}, {"id": "X-2", "fix_versions": []}],
}
SKIPPED = {"name": "keras", "skip_reason": "not found"}


def test_each_advisory_is_one_line_with_the_versions_that_mend_it() -> None:
    result = read_audit({"dependencies": [SOUND, KNOWN, SKIPPED]})
    assert result.as_lines() == [
        "audit: celery 5.6.3: CVE-2099-1, fixed in 5.6.4",
        "audit: celery 5.6.3: X-2, fixed in no version yet",
        "audit: 2 packages audited, 2 advisories; no answer for 1",
    ]


@pytest.mark.parametrize(
    ("packages", "alone", "in_lint"), [([SOUND], 0, 0), ([SOUND, KNOWN], 1, 0), ([SKIPPED], 1, 0)]
)
def test_advisories_and_silence_fail_the_audit_but_not_lint(
    monkeypatch: pytest.MonkeyPatch, packages: list[dict[str, object]], alone: int, in_lint: int
) -> None:
    monkeypatch.setattr(audit, "audit_packages", lambda: read_audit({"dependencies": packages}))
    assert audit._audit(show_only=False) == alone
    assert audit._audit(show_only=True) == in_lint


def test_an_audit_without_any_answer_says_so() -> None:
    (line,) = read_audit({"dependencies": [SKIPPED]}).as_lines()
    assert "NO package was audited" in line


def test_pip_audit_reads_every_requirements_file_and_counts_each_package_once() -> None:
    packages = {
        pin.name
        for path in REPOSITORY.glob("requirements*.txt")
        for pin in read_pins(path)
        if pin.requirement.marker is None or pin.requirement.marker.evaluate()
    }
    answer = subprocess.run([*audit_command(), "--dry-run"], capture_output=True, text=True)
    (counted,) = re.findall(r"would have audited (\d+) packages", answer.stdout + answer.stderr)
    assert int(counted) == len(packages)
