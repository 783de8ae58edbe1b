"""git as a tool: one command at a time, in a clean environment."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from kohya_wrap.errors import EngineError
from kohya_wrap.launch.environment import clean_environment

GIT_SECONDS = 900


class Git:
    """git with a clean environment, that never asks anybody anything."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._env = clean_environment(
            variables,
            add={"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            # Not all of GIT_*: inside a hook GIT_DIR names the repository that is being committed to.
            keep=("SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_", "GIT_CONFIG_", "GIT_ALTERNATE_"),
        )

    def __call__(self, *arguments: str, cwd: Path) -> str:
        """Run one git command and give what it prints. Raises EngineError with what git said."""
        try:
            done = subprocess.run(
                ("git", *arguments),
                cwd=cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=GIT_SECONDS,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            said = str(error.stderr).strip().splitlines() or [f"exit code {error.returncode}"]
            raise EngineError(said[-1], where=f"git {arguments[0]}") from error
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"no end after {GIT_SECONDS} seconds", where=f"git {arguments[0]}") from error
        return done.stdout.rstrip("\n")

    def commit(self, folder: Path) -> str:
        """Give the commit checked out in `folder`; empty where it is not the top of a git checkout."""
        if not (folder / ".git").exists():
            return ""
        try:
            return self("rev-parse", "HEAD", cwd=folder)
        except EngineError:
            return ""
