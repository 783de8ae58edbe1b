"""Tagging on the CPU, against a plain loop of Pillow, numpy and onnxruntime that takes pictures one by one.

The model has the inputs, outputs and size of input of a WD tagger, and random weights: real ones (1.3 GB) are not
fetched. It costs about as much as decoding a picture; a large tagger costs far more on a CPU, where both take the
same time, so that case is measured and shown too.
"""

import csv
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from kohya_wrap.dataset.history import DatasetPlace
from kohya_wrap.dataset.verbs.tag import TagOptions, tag

pytestmark = pytest.mark.bench

SIDE, TAGS, PICTURES, ROUNDS = 448, 10_861, 160, 3


def write_model(folder: Path, channels: int, layers: int) -> None:
    """A patch embedding, some layers, and a number for each of 10,861 tags."""
    dice = np.random.default_rng(0)
    kept, nodes = [], [helper.make_node("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2])]

    def weights(name: str, *shape: int) -> str:
        scale = 1 / np.sqrt(np.prod(shape[1:]))
        kept.append(numpy_helper.from_array((dice.normal(size=shape) * scale).astype(np.float32), name))
        return name

    nodes.append(
        helper.make_node(
            "Conv", ["x", weights("patch", channels, 3, 16, 16)], ["y0"], strides=[16, 16], kernel_shape=[16, 16]
        )
    )
    for at in range(layers):
        nodes += [
            helper.make_node("Conv", [f"y{at}", weights(f"w{at}", channels, channels, 1, 1)], [f"z{at}"]),
            helper.make_node("Relu", [f"z{at}"], [f"y{at + 1}"]),
        ]
    nodes += [
        helper.make_node("ReduceMean", [f"y{layers}"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", weights("head", channels, TAGS)], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["output"]),
    ]
    taken = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3])
    given = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", TAGS])
    graph = helper.make_graph(nodes, "tagger", [taken], [given], kept)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(folder / "model.onnx")
    )
    with (folder / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["tag_id", "name", "category", "count"])
        out.writerows([at, f"tag_{at}_name", 9 if at < 4 else 0 if at < 8110 else 4, 1] for at in range(TAGS))


def plain_loop(pictures: list[Path], folder: Path, target: Path) -> None:
    """What one would write in an afternoon."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    with (folder / "selected_tags.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["name"].replace("_", " ") for row in rows]
    general = np.array([row["category"] == "0" for row in rows])
    for path in pictures:
        image = Image.open(path).convert("RGB")
        longest = max(image.size)
        square = Image.new("RGB", (longest, longest), "white")
        square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
        small = square.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pixels = np.asarray(small, np.float32)[None, :, :, ::-1]
        (scores,) = session.run(None, {"input": np.ascontiguousarray(pixels)})
        tags = [names[at] for at in np.flatnonzero((scores[0] >= 0.6) & general)]
        (target / f"{path.stem}.txt").write_text(", ".join(tags), encoding="utf-8")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures as a dataset has them: JPEG and PNG of about 1000 x 1400."""
    folder = tmp_path_factory.mktemp("pictures")
    for at in range(PICTURES):
        dice = np.random.default_rng(at)
        areas = Image.fromarray(dice.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((1000, 1400))
        grain = np.repeat(np.repeat(dice.integers(-9, 10, (700, 500, 1)), 2, axis=0), 2, axis=1)
        image = Image.fromarray(np.clip(np.asarray(areas, np.int16) + grain, 0, 255).astype(np.uint8))
        image.save(folder / (f"{at:03}.jpg" if at % 2 else f"{at:03}.png"))
    return folder


def measured(pictures: Path, model: Path, target: Path, some: int) -> tuple[float, float]:
    """Give pictures a second of ours and of the loop, the best of some rounds each, in turn."""
    place = DatasetPlace(target / "ours", target / "history")
    place.folder.mkdir(parents=True)
    paths = sorted(pictures.iterdir())[:some]
    for path in paths:
        (place.folder / path.name).write_bytes(path.read_bytes())
    (target / "theirs").mkdir()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        tag(place, TagOptions(tagger=str(model), tag_threshold=0.6), fetch=lambda _, file: model / file)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        plain_loop(paths, model, target / "theirs")
        theirs.append(time.perf_counter() - began)
    same = sum(
        (place.folder / f"{path.stem}.txt").read_text() == (target / "theirs" / f"{path.stem}.txt").read_text()
        for path in paths
    )
    assert same >= 0.95 * len(paths), "both must give the same tags (but for one on the threshold)"
    return some / min(ours), some / min(theirs)


@pytest.mark.parametrize(
    ("name", "size", "some", "least"),
    [("a model as dear as decoding", (256, 12), PICTURES, 1.3), ("a dear model", (1024, 96), 24, 0.9)],
)
def test_against_a_plain_loop(
    pictures: Path, tmp_path: Path, name: str, size: tuple[int, int], some: int, least: float
) -> None:
    """At least 1.3 times the loop's pictures a second where decoding counts; no slower where it does not."""
    model = tmp_path / "model"
    model.mkdir()
    write_model(model, *size)
    ours, theirs = measured(pictures, model, tmp_path, some)
    print(f"\n{name}: {ours:.1f} pictures a second, the plain loop {theirs:.1f} ({ours / theirs:.2f} times)")  # noqa: T201
    assert ours >= least * theirs
