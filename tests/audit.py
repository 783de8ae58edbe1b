"""Looks up known vulnerabilities in what this wrapper has installed and in what the engine's environment pins.

Run by `make audit`; it asks PyPI's advisory service. Exit code 0: none known; 1: some are; 2: nothing could be asked.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "vendor" / "constraints-engine.txt"
AUDITS = {
    "the wrapper's environment": ("--local", "--skip-editable"),
    "the engine's pins": ("--no-deps", "--disable-pip", "--requirement", str(PINS)),
}
NOT_AUDITED = 2


def main() -> int:
    """Audit both, print what was found, and give the worst exit code."""
    return max(audit(name, arguments) for name, arguments in AUDITS.items())


def audit(name: str, arguments: Sequence[str]) -> int:
    """Audit one list of packages. pip-audit's own exit code does not tell findings from a service out of reach."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = (sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json")
        done = subprocess.run(
            (*command, "--output", str(answer), *arguments), capture_output=True, text=True, check=False
        )
        if not answer.exists():
            why = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
            return _say(f"{name}: NOT audited, the advisory service did not answer: {why}", NOT_AUDITED)
        packages = json.loads(answer.read_text(encoding="utf-8"))["dependencies"]
    found = [
        f"  {each['name']} {each['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version'}"
        for each in packages
        for flaw in each.get("vulns", ())
    ]
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    if len(unknown) == len(packages):
        return _say(f"{name}: NOT audited, the advisory service knows none of {len(packages)} packages", NOT_AUDITED)
    asked = f"{name}: {len(packages) - len(unknown)} packages audited"
    skipped = f", not known to the service: {', '.join(unknown)}" if unknown else ""
    return _say("\n".join([f"{asked}, {len(found)} vulnerabilities{skipped}", *found]), 1 if found else 0)


def _say(text: str, code: int) -> int:
    print(text)  # noqa: T201 - a tool for a terminal
    return code


if __name__ == "__main__":
    sys.exit(main())
