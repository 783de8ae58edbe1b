"""The room that is kept for a record."""

from pathlib import Path

from kohya_wrap.record.reserve import LEAST, Reserve


def test_room_is_kept_and_given_back(tmp_path: Path) -> None:
    """Twice the record's size, at least 64 KiB, really on the disk; afterwards nothing is left."""
    for size, kept in ((10, LEAST), (LEAST, 2 * LEAST)):
        reserve = Reserve(tmp_path / "run.json")
        reserve.hold(size)
        (file,) = tmp_path.iterdir()
        assert file.stat().st_size == kept
        assert file.stat().st_blocks * 512 >= kept
        reserve.release()
        assert list(tmp_path.iterdir()) == []


def test_a_disk_without_that_room_is_no_reason_to_stop(tmp_path: Path) -> None:
    """Holding and giving back say nothing where there is no folder at all."""
    reserve = Reserve(tmp_path / "gone" / "run.json")
    reserve.hold(10)
    reserve.release()
    assert list(tmp_path.iterdir()) == []
