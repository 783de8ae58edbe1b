"""export_run() and import_run(): a run in one ZIP file, from which another machine can repeat it.

manifest.json        format, and every other file with its SHA256
run.json             the record as it was written
preset.toml          the preset as it was stated, overrides and all
vendor/…             the pins of the engine
files/Loras/…        captions (and pictures, when asked), at their place below the run's root
"""

from kohya_wrap.sharing.exporting import export_run
from kohya_wrap.sharing.importing import Imported, import_run

__all__ = ["Imported", "export_run", "import_run"]
