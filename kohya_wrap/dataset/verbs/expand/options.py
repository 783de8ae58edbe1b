"""What expand is asked for, and what of that cannot be."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.dataset.verbs.expand.boxes import Box
from kohya_wrap.dataset.verbs.expand.variants import MOST_DEGREES
from kohya_wrap.errors import DatasetError, Problem


@dataclass(frozen=True, slots=True)
class ExpandOptions:
    """Which pictures are made. Without `boxes` a crop is proposed for each picture, unless `crop` is off.

    `padding`: margin of a crop, as a share of its longer side. `rotations`: degrees, counter-clockwise.
    `background`: of transparent pictures, the originals included; "": new ones get white, originals stay.
    `subsets`: each kind into a sub-folder of its own. `pictures`: names of files; none: all. `replace`: files of the
    new names that expand did not make, too (kept, as all that a step replaces).
    """

    boxes: tuple[Box, ...] = ()
    crop: bool = True
    flip: bool = True
    rotations: tuple[float, ...] = ()
    padding: float = 0.0
    crop_drops: tuple[str, ...] = ()
    crop_adds: tuple[str, ...] = ()
    background: str = ""
    keep_parameters: bool = False
    subsets: bool = False
    num_repeats: int = 10
    pictures: tuple[str, ...] = ()
    replace: bool = False
    caption_extension: str = ".txt"
    recursive: bool = False

    def kinds(self) -> list[str]:
        """Give the ends of the new names: flip, face, face-flip and so on."""
        crops = [box.name for box in self.boxes] or (["face"] if self.crop else [])
        whole = ["", *(f"rotate{angle:+g}" for angle in self.rotations), *crops]
        flips = [f"{kind}-flip".removeprefix("-") for kind in whole] if self.flip else []
        return [*filter(None, whole), *flips]


def target_of(source: Path, kind: str, options: ExpandOptions) -> Path:
    """Name a new picture."""
    folder = source.parent / kind if options.subsets else source.parent
    return folder / f"{source.stem}-{kind}.png"


def check(options: ExpandOptions) -> None:
    """Say at once all that cannot be done. Raises DatasetError."""
    kinds = options.kinds()
    problems = []
    if twice := sorted(kind for kind, count in Counter(kinds).items() if count > 1):
        problems.append(Problem("--box, --rotate", f"{', '.join(twice)} would be made twice", "give each its name"))
    if not kinds:
        problems.append(Problem("expand", "nothing is asked for", "leave out --no-flip or --no-crop, or give --rotate"))
    if any(not 0 < abs(angle) <= MOST_DEGREES for angle in options.rotations):
        problems.append(Problem("--rotate", "is 0, or too much", f"give small angles, up to {MOST_DEGREES:g} degrees"))
    if not 0 <= options.padding <= 1:
        problems.append(Problem("--padding", "is not from 0 to 1", "give a share of the crop's longer side"))
    if options.background and not is_colour(options.background):
        problems.append(Problem("--background", f"{options.background!r} is no colour", "write white, or #rrggbb"))
    if problems:
        raise DatasetError.of(problems)


def is_colour(text: str) -> bool:
    """Whether Pillow knows a colour of this name or code."""
    from PIL import ImageColor  # noqa: PLC0415 - only a dataset needs Pillow

    try:
        ImageColor.getrgb(text)
    except ValueError:
        return False
    return True


def asked(options: ExpandOptions) -> dict[str, object]:
    """Give what differs from the defaults, for the history."""
    default = ExpandOptions()
    given = {name: getattr(options, name) for name in ExpandOptions.__dataclass_fields__}
    asked = {name: value for name, value in given.items() if value != getattr(default, name)}
    if options.boxes:
        asked["boxes"] = [f"{box.name}={box.x:g},{box.y:g},{box.width:g},{box.height:g}" for box in options.boxes]
    return asked
