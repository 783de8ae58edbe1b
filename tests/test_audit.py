"""make audit, where the advisory service cannot be reached."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEAD = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")


def test_an_audit_without_a_network_is_none() -> None:
    """Nothing was asked, so nothing is called safe: exit code 2, and both lists say so."""
    argv = (sys.executable, "-m", "tests.audit")
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, **DEAD}, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("NOT audited, the advisory service did not answer" in line for line in lines)
