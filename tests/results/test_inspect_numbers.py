"""What the numbers of a LoRA tell: norms by hand-made updates, zeros, nan, every type, the hashes, the picture."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from helpers_lora import MODULE, SAID, Array, lora_of, write_lora, write_raw
from PIL import Image

from kohya_wrap.errors import OutputError
from kohya_wrap.results.inspect import Measures, draw_norms, inspect_hashes, inspect_header, inspect_numbers


def measured(folder: Path, tensors: dict[str, Array], metadata: dict[str, str] | None = None) -> Measures:
    return inspect_numbers(inspect_header(write_lora(folder / "m.safetensors", tensors, metadata)))


def part(tensors: dict[str, Array], name: str) -> Array:
    return tensors[f"{MODULE}.{name}"].astype("float64")


def named(**parts: Array) -> dict[str, Array]:
    return {f"{MODULE}.{name.replace('__', '.')}": array.astype("float32") for name, array in parts.items()}


def test_a_linear_module_s_norm_is_that_of_the_whole_update(tmp_path: Path) -> None:
    """The Frobenius norm of alpha / rank x up x down, computed the long way."""
    tensors = lora_of()
    expected = np.linalg.norm(part(tensors, "lora_up.weight") @ part(tensors, "lora_down.weight")) * 2 / 4
    (module,) = measured(tmp_path, tensors).modules
    assert module.norm == pytest.approx(expected)
    assert (module.block, module.alpha) == ("IN01", 2.0)


def test_without_alpha_the_update_is_taken_as_it_is(tmp_path: Path) -> None:
    """diffusers and PEFT write no alpha."""
    tensors = lora_of()
    with_alpha = measured(tmp_path, tensors).blocks["IN01"]
    del tensors[f"{MODULE}.alpha"]
    assert measured(tmp_path, tensors).blocks["IN01"] == pytest.approx(2 * with_alpha)


def test_rank_stabilised_alpha_is_divided_by_the_root(tmp_path: Path) -> None:
    """rs_lora in the network_args."""
    plain = measured(tmp_path, lora_of()).blocks["IN01"]
    stabilised = measured(tmp_path, lora_of(), SAID | {"ss_network_args": '{"rs_lora": "True"}'}).blocks["IN01"]
    assert stabilised == pytest.approx(2 * plain)


def test_a_convolution_s_norm(tmp_path: Path) -> None:
    """A 3x3 kernel through a 1x1 one."""
    draw = np.random.default_rng(2)
    down, up = draw.normal(size=(4, 5, 3, 3)), draw.normal(size=(6, 4, 1, 1))
    expected = np.linalg.norm(np.einsum("or,rikl->oikl", up[:, :, 0, 0], down))
    found = measured(tmp_path, named(lora_down__weight=down, lora_up__weight=up))
    assert found.modules[0].norm == pytest.approx(expected, rel=1e-5)


def test_a_convolution_in_three_pieces(tmp_path: Path) -> None:
    """With lora_mid the kernel lies in the middle."""
    draw = np.random.default_rng(3)
    down, mid, up = draw.normal(size=(4, 5, 1, 1)), draw.normal(size=(4, 4, 3, 3)), draw.normal(size=(6, 4, 1, 1))
    expected = np.linalg.norm(np.einsum("oa,abkl,bi->oikl", up[:, :, 0, 0], mid, down[:, :, 0, 0]))
    found = measured(tmp_path, named(lora_down__weight=down, lora_mid__weight=mid, lora_up__weight=up))
    assert found.modules[0].norm == pytest.approx(expected, rel=1e-5)


def test_a_loha_s_norm(tmp_path: Path) -> None:
    """The product of two products, number by number."""
    draw = np.random.default_rng(4)
    a, b, c, d = (draw.normal(size=size) for size in ((6, 2), (2, 5), (6, 2), (2, 5)))
    found = measured(tmp_path, named(hada_w1_a=a, hada_w1_b=b, hada_w2_a=c, hada_w2_b=d))
    assert found.modules[0].norm == pytest.approx(np.linalg.norm((a @ b) * (c @ d)), rel=1e-5)


def test_a_lokr_s_norm(tmp_path: Path) -> None:
    """The Kronecker product's norm is the product of the norms."""
    draw = np.random.default_rng(5)
    first, a, b = (draw.normal(size=size) for size in ((3, 2), (6, 2), (2, 5)))
    found = measured(tmp_path, named(lokr_w1=first, lokr_w2_a=a, lokr_w2_b=b))
    assert found.modules[0].norm == pytest.approx(np.linalg.norm(np.kron(first, a @ b)), rel=1e-5)


def test_a_block_s_norm_is_that_of_all_its_modules(tmp_path: Path) -> None:
    """Squares are added, blocks stand in the order the data flows."""
    middle = {"lora_unet_mid_block_a.diff": np.full((1, 1), 3.0), "lora_unet_mid_block_b.diff": np.full((1, 1), 4.0)}
    others = {"lora_unet_up_blocks_1_attentions_0_a.diff": np.ones(1), "lora_te_a.diff": np.ones(1)}
    assert list(measured(tmp_path, others | middle).blocks.items()) == [("TE", 1.0), ("M00", 5.0), ("OUT03", 1.0)]


def test_a_module_of_zeros_is_named(tmp_path: Path) -> None:
    """It was never trained: lora_up starts as zeros."""
    tensors = lora_of() | lora_of("lora_te_x")
    tensors["lora_te_x.lora_up.weight"][:] = 0
    assert measured(tmp_path, tensors).zero == ("lora_te_x",)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_inf_are_named_and_have_no_norm(tmp_path: Path, value: float) -> None:
    """The tensor is named; the module counts as unknown, not as zero."""
    tensors = lora_of()
    tensors[f"{MODULE}.lora_up.weight"][0, 0] = value
    found = measured(tmp_path, tensors)
    assert found.bad_tensors == (f"{MODULE}.lora_up.weight",)
    assert (found.unknown, found.zero, dict(found.blocks)) == ((MODULE,), (), {})


@pytest.mark.parametrize("alpha", [float("nan"), float("inf")])
def test_an_alpha_that_is_no_number_is_none(tmp_path: Path, alpha: float) -> None:
    """It is named among the bad tensors, and not taken for an alpha."""
    found = measured(tmp_path, lora_of() | {f"{MODULE}.alpha": np.array(alpha, "float32")})
    assert (found.alphas, found.bad_tensors) == ((), (f"{MODULE}.alpha",))


BYTES = {
    "BF16": b"\x40\x40",
    "F8_E4M3": b"\x44",
    "F8_E5M2": b"\x42",
    "F16": b"\x00\x42",
    "I8": b"\x03",
    "F64": b"\0" * 6 + b"\x08\x40",
}


@pytest.mark.parametrize("dtype", BYTES)
def test_every_type_is_decoded(tmp_path: Path, dtype: str) -> None:
    """3.0 is 3.0 in each of them, bf16 and fp8 included."""
    path = write_raw(tmp_path / "m.safetensors", {f"{MODULE}.diff": (dtype, (1, 2), BYTES[dtype] * 2)})
    assert inspect_numbers(inspect_header(path)).modules[0].norm == pytest.approx(3 * np.sqrt(2))


@pytest.mark.parametrize(
    ("dtype", "data"), [("F8_E4M3", b"\x7f"), ("F8_E4M3", b"\xff"), ("F8_E5M2", b"\x7c"), ("F8_E5M2", b"\xfe")]
)
def test_fp8_that_is_no_number_is_found(tmp_path: Path, dtype: str, data: bytes) -> None:
    """One kind of nan in e4m3; nan and inf in e5m2."""
    path = write_raw(tmp_path / "m.safetensors", {f"{MODULE}.diff": (dtype, (1,), data)})
    assert inspect_numbers(inspect_header(path)).bad_tensors == (f"{MODULE}.diff",)


@pytest.mark.parametrize(("dtype", "data"), [("F8_E4M3", b"\x7e"), ("F8_E5M2", b"\x7b")])
def test_the_largest_fp8_number_is_a_number(tmp_path: Path, dtype: str, data: bytes) -> None:
    """448 in e4m3, 57344 in e5m2."""
    path = write_raw(tmp_path / "m.safetensors", {f"{MODULE}.diff": (dtype, (1,), data)})
    found = inspect_numbers(inspect_header(path))
    assert (found.bad_tensors, found.modules[0].norm) == ((), {"F8_E4M3": 448.0, "F8_E5M2": 57344.0}[dtype])


@pytest.mark.parametrize(
    ("dtype", "shape"), [("F4", (1, 4)), ("F32", (3, 3)), ("F32", (10**9, 10**9)), ("F32", ()), ("whatever", (1,))]
)
def test_unknown_types_and_wrong_shapes_have_no_norm(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    """What cannot be decoded is said to be unknown, and nothing of its announced size is allocated."""
    tensor = (dtype, shape, bytes(8))
    path = write_raw(
        tmp_path / "m.safetensors", {f"{MODULE}.{name}.weight": tensor for name in ("lora_up", "lora_down")}
    )
    assert inspect_numbers(inspect_header(path)).unknown == (MODULE,)


def test_factors_that_do_not_fit_each_other_have_no_norm(tmp_path: Path) -> None:
    """Rank 4 up, rank 3 down."""
    found = measured(tmp_path, named(lora_down__weight=np.ones((3, 5)), lora_up__weight=np.ones((6, 4))))
    assert found.unknown == (MODULE,)


def test_a_file_without_tensors_has_no_numbers(tmp_path: Path) -> None:
    """An empty answer, not an error."""
    assert measured(tmp_path, {}, SAID).blocks == {}


def test_the_hashes_are_those_of_other_tools(tmp_path: Path) -> None:
    """AutoV2 of the file, AutoV3 of the tensors, AutoV1 of 64 KiB at 1 MiB."""
    path = write_lora(tmp_path / "m.safetensors", {f"{MODULE}.diff": np.arange(400_000, dtype="float32")}, SAID)
    content = path.read_bytes()
    found = inspect_hashes(inspect_header(path))
    tensors = content[8 + int.from_bytes(content[:8], "little") :]
    assert found.auto_v2 == hashlib.sha256(content).hexdigest()[:10]
    assert found.auto_v3 == hashlib.sha256(tensors).hexdigest()[:12]
    assert found.auto_v1 == hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8]
    assert found.matches_metadata is None


def test_a_small_file_has_no_old_hash(tmp_path: Path) -> None:
    """There is nothing at 1 MiB to hash."""
    assert inspect_hashes(inspect_header(write_lora(tmp_path / "m.safetensors", lora_of()))).auto_v1 == ""


@pytest.mark.parametrize("change", [0, 1])
def test_a_file_changed_after_saving_is_found(tmp_path: Path, change: int) -> None:
    """sshs_model_hash is compared with the tensors."""
    tensors = lora_of()
    data = b"".join(array.tobytes() for array in tensors.values())
    tensors[f"{MODULE}.lora_up.weight"][0, 0] += change
    said = {"sshs_model_hash": hashlib.sha256(data).hexdigest()}
    header = inspect_header(write_lora(tmp_path / "m.safetensors", tensors, said))
    assert inspect_hashes(header).matches_metadata is (not change)


@pytest.mark.parametrize("count", [0, 1, 17, 60])
def test_the_picture_opens_whatever_is_drawn(tmp_path: Path, count: int) -> None:
    """No block, one, SD 1.5's and Flux's number; a name that no font has, and one that looks like a formula."""
    blocks = {f"IN{index:02d}": index / 10 for index in range(count)}
    path = draw_norms(blocks, tmp_path / "norms.png", title="日本語 $x_1 \x1b", subtitle="$")
    with Image.open(path) as picture:
        picture.load()
        assert picture.width >= 900
    assert list(tmp_path.iterdir()) == [path]


def test_the_bars_are_as_high_as_the_norms(tmp_path: Path) -> None:
    """Two bars of 1 and 2: twice as many pixels of the second one's colour."""
    path = draw_norms({"TE": 1.0, "M00": 2.0}, tmp_path / "norms.png", title="")
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))[80:].reshape(-1, 3)
    counts = [int((pixels == colour).all(axis=1).sum()) for colour in ((0x8D, 0x6A, 0x9F), (0xD9, 0x8E, 0x04))]
    assert counts[1] / counts[0] == pytest.approx(2, rel=0.02)


def test_svg_is_written_too(tmp_path: Path) -> None:
    """The ending decides."""
    assert "<svg" in draw_norms({"TE": 1.0}, tmp_path / "norms.svg", title="x").read_text(encoding="utf-8")


def test_a_picture_is_never_written_over_another(tmp_path: Path) -> None:
    """What is there stays as it is."""
    target = tmp_path / "norms.png"
    target.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="is there already"):
        draw_norms({"TE": 1.0}, target, title="x")
    assert target.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["norms.jpg", "norms", "none/norms.png"])
def test_a_place_that_cannot_be_drawn_to_is_said(tmp_path: Path, name: str) -> None:
    """Another ending, or a folder that is not there; nothing is left behind."""
    with pytest.raises(OutputError):
        draw_norms({"TE": 1.0}, tmp_path / name, title="x")
    assert list(tmp_path.iterdir()) == []
