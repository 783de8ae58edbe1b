"""A WD tagger in small: the right names, shapes and kinds of input and output, weights that know a few colours.

Real weights (1.3 GB each) are not fetched by tests.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
LABELS = (
    ("general", 9, (0, 0, 0), 5),
    ("sensitive", 9, (0, 0, 0), -5),
    ("questionable", 9, (0, 0, 0), -5),
    ("explicit", 9, (0, 0, 0), -5),
    ("red_hair", 0, (-0.2, -0.2, 0.2), -20),
    ("blue_hair", 0, (0.2, -0.2, -0.2), -20),
    ("^_^", 0, (0, 0, 0), 3),
    ("(o)_(o)", 0, (0, 0, 0), 3),
    ('don\'t_say_"lazy"', 0, (0, 0, 0), 3),
    ("alternate_costume", 0, (0, 0, 0), 3),
    ("tail_(cat)", 0, (0, 0, 0), -0.5),
    ("lakto_(tiger)", 4, (0, 0, 0), 0.5),
)
"""Name, category, weights of the mean blue, green and red (0 to 255), and bias, before the sigmoid."""


def write_list(path: Path, names: Sequence[tuple[str, int]]) -> None:
    """Write selected_tags.csv."""
    rows = [f'{at},"{name.replace(chr(34), chr(34) * 2)}",{kind},100' for at, (name, kind) in enumerate(names)]
    path.write_text("\n".join(["tag_id,name,category,count", *rows]) + "\n", encoding="utf-8")


def write_tagger(
    folder: Path,
    *,
    extra: tuple[str, int] | None = None,
    sigmoid: bool = True,
    side: int = SIDE,
    embedding: bool = False,
) -> Path:
    """Write model.onnx and selected_tags.csv. `extra`: one more general label, that every picture has.

    `embedding`: a second output, of the mean colour, as deepghs' copies have one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels = [*LABELS, *([(*extra, (0, 0, 0), 4)] if extra else [])]
    weights = np.array([label[2] for label in labels], np.float32).T
    bias = np.array([label[3] for label in labels], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Sigmoid" if sigmoid else "Identity", ["sum"], ["output"]),
    ]
    taken = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", side, side, 3])
    given = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", len(labels)])
    kept = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "tagger", [taken], [given, *([mean] if embedding else [])], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    write_list(folder / "selected_tags.csv", [label[:2] for label in labels])
    return folder
