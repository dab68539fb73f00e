"""`make audit`: checks the pinned packages for published advisories, by pip-audit.

An advisory published today is unrelated to the change at hand, and not every machine can reach the
advisory service. So `make lint` only shows advisories; `make audit` ends with status 1 on any known
vulnerability, and if the service does not answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from roi_local.command import run_command
from roi_local.environment import REPOSITORY

REQUIREMENTS = (
    "requirements.txt",
    "requirements-services.txt",
    "requirements-production.txt",
    "requirements-gpu.txt",
    "requirements-bill-of-materials.txt",
    "requirements-dev.txt",
)
_SECONDS = 120


@dataclass(frozen=True)
class Audit:
    """What the advisory service knows about the pinned packages.

    Attributes:
        audited: Number of packages it answered for.
        unanswered: Number of packages without an answer.
        vulnerabilities: One line for each advisory: package, version, advisory, fixed versions.
    """

    audited: int
    unanswered: int
    vulnerabilities: tuple[str, ...]

    def as_lines(self) -> list[str]:
        """Return the result as a person reads it."""
        if self.audited == 0:
            return ["audit: the advisory service did not answer; NO package was audited"]
        lines = [f"audit: {line}" for line in self.vulnerabilities]
        counted = f"audit: {self.audited} packages audited, {len(self.vulnerabilities)} advisories"
        if self.unanswered:
            counted += f"; no answer for {self.unanswered}"
        return [*lines, counted]


def audit_command() -> list[str]:
    """Return the command that audits every pinned package once; it refuses one without hashes."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    command.append("--progress-spinner=off")
    for name in REQUIREMENTS:
        command += ["--requirement", str(REPOSITORY / name)]
    return command


def audit_packages() -> Audit:
    """Look up the advisories on every pinned package."""
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [*audit_command(), "--format=json", f"--output={report}"]
        try:
            subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
            content = json.loads(report.read_text(encoding="utf-8"))
        except (subprocess.TimeoutExpired, OSError, ValueError):
            return Audit(0, 0, ())
    return read_audit(content)


def read_audit(report: Mapping[str, Any]) -> Audit:
    """Read pip-audit's JSON report."""
    packages = report["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    return Audit(
        len(audited),
        len(packages) - len(audited),
        tuple(
            f"{package['name']} {package['version']}: {advisory['id']}, fixed in "
            f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
            for package in audited
            for advisory in package["vulns"]
        ),
    )


def _audit(*, show_only: bool) -> int:
    audit = audit_packages()
    print(*audit.as_lines(), sep="\n", flush=True)
    sound = audit.audited > 0 and not audit.vulnerabilities
    return 0 if show_only or sound else 1


if __name__ == "__main__":
    run_command("audit", lambda: _audit(show_only="--show" in sys.argv))
