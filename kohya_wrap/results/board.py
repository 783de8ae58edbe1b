"""TensorBoard for whoever has its address: everything lies below a path that cannot be guessed."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from kohya_wrap.launch.environment import clean_environment

_TOKEN = "KOHYA_WRAP_BOARD_TOKEN"  # noqa: S105 - the name of a variable, not a token
"""Handed over in the environment, which only the same user can read; a command line is everybody's."""


def serve(logs: Path, port: int) -> int:
    """Show the event files below `logs` on the loopback device until Ctrl-C; give TensorBoard's exit code.

    TensorBoard knows no login: a path of 128 random bits stands in front of every address, and what is asked for
    without it is answered with 404. It prints the whole address.
    """
    env = clean_environment(os.environ, add={_TOKEN: secrets.token_urlsafe(16)}, keep=(_TOKEN,))
    argv = (sys.executable, "-m", "kohya_wrap.results.board", str(logs), str(port))
    return subprocess.run(argv, env=env, check=False).returncode


def main() -> int:
    """Be the server: the folder and the port are the arguments, the token is in the environment."""
    from tensorboard import default, program  # noqa: PLC0415 - 0.5 s and 60 MB, for this process alone

    board = program.TensorBoard(plugins=default.get_plugins())
    board.configure(
        logdir=sys.argv[1],
        host="127.0.0.1",
        port=int(sys.argv[2]),
        path_prefix="/" + os.environ[_TOKEN],
        load_fast="false",  # its data server would listen on a second port, without the path
    )
    return int(board.main() or 0)


if __name__ == "__main__":
    sys.exit(main())
