"""run.json: what went in, what ran, what came out."""

from kohya_wrap.record.model import RunRecord, find_records, read_record, write_record

__all__ = ["RunRecord", "find_records", "read_record", "write_record"]
