"""Where the face may be, without a model: a guess from detail and colour, to be looked at before it is used.

The picture is shrunk to 192 pixels. A place counts for how fast colours change there (in CIE Lab), the more where they
are far from those along the left, right and upper edges. The square of the most counts a pixel wins, with a liking
for the middle of the width and the upper quarter, where portraits have their faces; it is then grown by a tenth on
every side, for hair and ears. It knows nothing of faces.
"""

from typing import TYPE_CHECKING

from kohya_wrap.dataset.verbs.expand.boxes import Box

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_SIDE = 192
_SHARES = (0.45, 0.5, 0.55, 0.6, 0.65)
"""Of the picture's shorter side. The tutorial's author took 0.55."""
_GROWN = 0.1
_MOST = 97
"""Percentile of detail and distance that counts in full: a few brilliant pixels shall not decide."""


def propose_face(image: "Image", name: str = "face") -> Box:
    """Guess a square around the face of an RGB picture, in fractions of it."""
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    counts = _counts(image)
    height, width = counts.shape
    summed = np.pad(counts.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    best, found = -1.0, (0, 0, 1)
    for side in sorted({max(1, round(share * min(counts.shape))) for share in _SHARES}):
        inside = summed[side:, side:] - summed[:-side, side:] - summed[side:, :-side] + summed[:-side, :-side]
        y, x = (np.arange(count) + side / 2 for count in inside.shape)
        liking = np.exp(-0.5 * ((y / height - 0.25) / 0.3) ** 2)[:, None] * np.exp(
            -0.5 * ((x / width - 0.5) / 0.2) ** 2
        )
        score = inside / side**1.3 * liking  # more than a pixel's mean: of two alike, the larger square
        place = int(score.argmax())
        if score.flat[place] > best:
            top, left = divmod(place, score.shape[1])
            best, found = float(score.flat[place]), (left, top, side)
    left, top, side = found
    grown = side * _GROWN
    share = (side + 2 * grown) / min(width, height)
    return _square(name, image.size, (left - grown) / width, (top - grown) / height, share)


def _square(name: str, size: tuple[int, int], x: float, y: float, share: float) -> Box:
    """Make a box that is square in the picture's own pixels, and inside."""
    width, height = size
    side = min(round(share * min(size)), *size)
    left, top = (max(0, min(round(part * length), length - side)) for part, length in ((x, width), (y, height)))
    return Box(name, left / width, top / height, side / width, side / height)


def _counts(image: "Image") -> "Array":
    """Give how much each place of the shrunken picture counts, from 0 to 1."""
    import numpy as np  # noqa: PLC0415 - 0.1 s to import
    from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

    factor = _SIDE / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    small = image.resize(size, Image.Resampling.BOX).convert("LAB")
    lab = np.asarray(small).astype(np.float64)
    lab[..., 1:] = (lab[..., 1:] + 128) % 256  # a and b are signed
    down, right = (np.abs(np.diff(lab, axis=axis, prepend=lab.take([0], axis))).sum(2) for axis in (0, 1))
    detail = np.hypot(down, right)
    far = np.linalg.norm(lab - np.median(np.concatenate([lab[0], lab[:, 0], lab[:, -1]]), axis=0), axis=2)
    return _limited(detail) * (1 + _limited(far)) / 2


def _limited(values: "Array") -> "Array":
    import numpy as np  # noqa: PLC0415 - 0.1 s to import

    return np.minimum(values / (np.percentile(values, _MOST) + 1e-9), 1)
