"""Which folder a verb works on: a project's dataset by the project's name, or any folder by its path."""

from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.folder import is_picture
from kohya_wrap.errors import DatasetError
from kohya_wrap.paths import ProjectPaths, expanded


@dataclass(frozen=True, slots=True)
class DatasetPlace:
    """A folder of pictures and captions, and where its history is kept (never inside it). Both absolute."""

    folder: Path
    history: Path

    def pictures(self, *, recursive: bool = False) -> list[Path]:
        """List the pictures that the engine reads, sorted; `recursive`: in sub-folders too. Raises DatasetError."""
        if not self.folder.is_dir():
            raise DatasetError("is no folder", where=str(self.folder), todo="make it with `kohya-wrap dataset new`")
        found = self.folder.rglob("*") if recursive else self.folder.iterdir()
        return sorted(path for path in found if is_picture(path) and not path.name.startswith(".") and path.is_file())


def place_of(text: str, *, root: Path) -> DatasetPlace:
    """Find what `text` names: a project below `root` (NAME, or NAME/SUB for a sub-folder), else a folder.

    An existing project wins over a folder of the same name; "./NAME" always means the folder. A name of which
    nothing exists is a new project, laid out by project.
    """
    root = root.absolute()
    name, _, sub = text.strip("/").partition("/")
    for structure in ("project", "category"):
        project = ProjectPaths(root, name, structure)
        if not text.startswith((".", "/", "~")) and project.dataset.is_dir():
            return DatasetPlace(_inside(project.dataset, sub, text), project.history)
    folder = (root / expanded(text)).resolve()
    if folder.is_dir() or text.startswith((".", "/", "~")):
        return _by_folder(folder)
    project = ProjectPaths(root, name)
    return DatasetPlace(_inside(project.dataset, sub, text), project.history)


def _inside(folder: Path, sub: str, text: str) -> Path:
    place = Path(folder / sub).resolve() if sub else folder
    if not place.is_relative_to(folder.resolve()) and sub:
        raise DatasetError("leads out of the project", where=text, todo="name a sub-folder of the dataset")
    return place


def _by_folder(folder: Path) -> DatasetPlace:
    for above in (folder, *folder.parents):
        if above.name == "dataset" and above.parent.parent.name == "Loras":
            return DatasetPlace(folder, above.parent / "history")
        if above.parent.name == "datasets" and above.parent.parent.name == "lora_training":
            return DatasetPlace(folder, above.parent.parent / "history" / above.name)
    return DatasetPlace(folder, folder.with_name(f".{folder.name}.history"))
