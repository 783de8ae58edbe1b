"""The WD taggers on onnxruntime: one folder or repository with model.onnx and selected_tags.csv.

Source of what they take and give: facts, services.md section 3. The real weights were not at hand when this was
written; the tests make a model of the same inputs and outputs.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kohya_wrap.dataset.taggers.labels import read_labels
from kohya_wrap.dataset.taggers.tagger import Label
from kohya_wrap.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

MODEL, LABELS = "model.onnx", "selected_tags.csv"
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_SHOWN = {"CUDAExecutionProvider": "CUDA", "CPUExecutionProvider": "CPU"}
_ERRORS_ONLY = 3


class WdTagger:
    """One session, opened once. Takes N x side x side x 3 of float32, 0 to 255, BGR."""

    def __init__(self, name: str, model: Path, labels: tuple[Label, ...]) -> None:
        self.name = name
        self.labels = labels
        self._model = model
        self._session = _session(model)
        self.provider = _SHOWN.get(self._session.get_providers()[0], self._session.get_providers()[0])
        (entry, *_) = self._session.get_inputs()
        self._input, self.side = entry.name, _side(entry.shape, model)
        self.input_key = f"wd-{self.side}"
        outputs = self._session.get_outputs()
        self._output = _output(outputs, len(labels), model)
        others = [each.name for each in outputs if len(each.shape) == 2 and each.name != self._output]
        self._embedding = str(others[0]) if others else ""

    def prepare(self, image: "Image") -> "NDArray[np.uint8]":
        """Pad to a square with white, the picture in the middle, resize (bicubic), and turn RGB into BGR."""
        import numpy as np  # noqa: PLC0415 - 0.1 s to import
        from PIL import Image  # noqa: PLC0415 - only a dataset needs Pillow

        longest = max(image.size)
        if image.width != image.height:
            square = Image.new("RGB", (longest, longest), "white")
            square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
            image = square
        if longest != self.side:
            image = image.resize((self.side, self.side), Image.Resampling.BICUBIC)
        return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])

    def probabilities(self, batch: "list[NDArray[Any]]") -> "NDArray[np.float32]":
        """Run the model. Raises DatasetError."""
        import numpy as np  # noqa: PLC0415 - as above

        scores = self._run(self._output, batch)
        if not (np.isfinite(scores).all() and scores.min() >= -1e-3 and scores.max() <= 1 + 1e-3):
            what = f"gives numbers from {scores.min():g} to {scores.max():g}, which are no probabilities"
            raise DatasetError(what, where=str(self._model), todo="use the ONNX file that its makers offer")
        return scores

    def embeddings(self, batch: "list[NDArray[Any]]") -> "NDArray[np.float32]":
        """Give the file's second output, where it has one: deepghs' copies of the taggers do. Raises DatasetError."""
        return self._run(self._embedding, batch) if self._embedding else self.probabilities(batch)

    def _run(self, output: str, batch: "list[NDArray[Any]]") -> "NDArray[np.float32]":
        import numpy as np  # noqa: PLC0415 - as above
        from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - only tagging needs it

        pixels = np.stack(batch).astype(np.float32)
        try:
            (rows,) = self._session.run([output], {self._input: pixels})
        except (state.Fail, state.RuntimeException, state.InvalidArgument, state.EPFail) as error:
            what = f"onnxruntime fails on {len(batch)} pictures: {str(error)[:200]}"
            raise DatasetError(what, where=str(self._model), todo="try a smaller --batch-size") from error
        return np.asarray(rows, np.float32)


def open_wd(name: str, model: Path, labels: Path) -> WdTagger:
    """Open a model with its list of labels. Raises DatasetError where one is not what it should be."""
    return WdTagger(name, model, read_labels(labels))


def _session(model: Path) -> Any:
    import onnxruntime  # noqa: PLC0415 - only tagging needs it
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # Idle threads of the session would spin on the cores that decode the next batch.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    here = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=here)
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidProtobuf,
        state.InvalidGraph,
        state.NotImplemented,
    ) as error:
        what = f"cannot be opened by onnxruntime {onnxruntime.__version__}: {str(error)[:200]}"
        todo = "is it whole? The WD taggers need onnxruntime 1.17 or newer"
        raise DatasetError(what, where=str(model), todo=todo) from error


def _side(shape: list[Any], model: Path) -> int:
    if len(shape) == 4 and shape[3] == 3 and shape[1] == shape[2] and isinstance(shape[1], int):
        return shape[1]
    what = f"takes {shape}, not N x side x side x 3"
    raise DatasetError(what, where=str(model), todo="use a WD tagger's ONNX file")


def _output(outputs: list[Any], count: int, model: Path) -> str:
    """Find the output that has a number per label: some files give embeddings as well."""
    for output in outputs:
        if len(output.shape) == 2 and output.shape[1] == count:
            return str(output.name)
    shapes = ", ".join(f"{output.name} {output.shape}" for output in outputs)
    todo = "take both files from the same repository: the lists of two models differ"
    raise DatasetError(f"gives {shapes}, but its list has {count} tags", where=str(model), todo=todo)
