"""Writes the golden files from today's code: `make golden`. Read the diff before committing it."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "sd_scripts")]

from helpers_sd_scripts import SHAPES, make_job  # noqa: E402

from kohya_wrap.sd_scripts import dataset_toml, training_toml  # noqa: E402


def main() -> None:
    """Write a pair for each shape, and take away those of shapes that are gone."""
    written: set[Path] = set()
    for name, shape in SHAPES.items():
        job = make_job(shape)
        for kind, text in (("training", training_toml(job)), ("dataset", dataset_toml(job))):
            path = HERE / f"{name}.{kind}.toml"
            path.write_text(text, encoding="utf-8")
            written.add(path)
    for stale in set(HERE.glob("*.toml")) - written:
        stale.unlink()
    sys.stdout.write(f"{len(written)} golden files written\n")


if __name__ == "__main__":
    main()
