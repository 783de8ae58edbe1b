"""lora merge and resize: what is refused before anything runs, and what sd-scripts' tools make of real files."""

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers_lora import MODULE, SAID, Array, lora_of, write_lora
from safetensors.numpy import load_file

from kohya_wrap.engines.tools import Tools
from kohya_wrap.errors import BadResultError, OutputError, TrainingError
from kohya_wrap.paths import CachePaths
from kohya_wrap.results.inspect import inspect_hashes, inspect_header
from kohya_wrap.results.rework import Part, Resizing, merge, resize

TEXT = "lora_te_text_model_encoder_layers_0_mlp_fc1"
CONV = "lora_unet_down_blocks_0_resnets_0_conv1"


class NoTools(Tools):
    """Stands where nothing may be run."""

    def run(self, script: str, arguments: object, *, work: Path) -> None:
        """Fail."""
        raise AssertionError(f"{script} was run")


NONE = NoTools(Path("python"), Path("sd-scripts"))


def lora(path: Path, *, rank: int = 4, seed: int = 1, names: tuple[str, ...] = (MODULE, TEXT)) -> Path:
    tensors: dict[str, Array] = {}
    for at, name in enumerate(names):
        tensors |= lora_of(name, rank=rank, seed=seed * 100 + at)
    return write_lora(path, tensors, SAID)


def conv(rank: int, seed: int) -> dict[str, Array]:
    draw = np.random.default_rng(seed)
    return {
        f"{CONV}.lora_down.weight": draw.normal(size=(rank, 6, 3, 3)).astype("float32"),
        f"{CONV}.lora_up.weight": draw.normal(size=(8, rank, 1, 1)).astype("float32"),
        f"{CONV}.alpha": np.array(1, "float32"),
    }


def updates(path: Path) -> dict[str, Array]:
    """Give what a file adds to each layer, as a matrix."""
    tensors = load_file(path)
    found = {}
    for key in tensors:
        name, mark, _ = key.partition(".lora_down.weight")
        if mark:
            down, up = tensors[key].astype(np.float64), tensors[f"{name}.lora_up.weight"].astype(np.float64)
            scale = float(tensors[f"{name}.alpha"]) / len(down)
            found[name] = up.reshape(len(up), -1) @ down.reshape(len(down), -1) * scale
    return found


def refused(tmp_path: Path, *parts: Part, out: str = "new.safetensors") -> str:
    with pytest.raises((BadResultError, OutputError)) as caught:
        merge(parts, tmp_path / out, tools=NONE)
    return str(caught.value)


def test_one_is_not_merged(tmp_path: Path) -> None:
    """There is nothing to add."""
    assert "two LoRAs or more" in refused(tmp_path, Part(lora(tmp_path / "a.safetensors")))


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf")])
def test_weights_that_mean_nothing(tmp_path: Path, weight: float) -> None:
    """Neither 0 nor what is no number."""
    one = lora(tmp_path / "a.safetensors")
    assert "the weight" in refused(tmp_path, Part(one), Part(one, weight))


def test_another_file_keeps_its_name(tmp_path: Path) -> None:
    """Nothing is written over."""
    one, two = lora(tmp_path / "a.safetensors"), lora(tmp_path / "b.safetensors", seed=2)
    (tmp_path / "new.safetensors").write_text("mine")
    assert "there already" in refused(tmp_path, Part(one), Part(two))
    assert (tmp_path / "new.safetensors").read_text() == "mine"


@pytest.mark.parametrize(("out", "said"), [("a.safetensors", "one of the files"), ("new.ckpt", "does not end")])
def test_names_that_cannot_be(tmp_path: Path, out: str, said: str) -> None:
    """A source, or a pickle's ending."""
    one = lora(tmp_path / "a.safetensors")
    assert said in refused(tmp_path, Part(one), Part(one), out=out)


def test_families_do_not_mix(tmp_path: Path) -> None:
    """The width of cross attention tells them apart, and both are named."""
    one = lora(tmp_path / "a.safetensors")
    two = write_lora(tmp_path / "xl.safetensors", lora_of(inputs=2048))
    said = refused(tmp_path, Part(one), Part(two))
    assert "a.safetensors: Stable Diffusion 1.x, xl.safetensors: Stable Diffusion XL" in said


def test_shapes_must_fit(tmp_path: Path) -> None:
    """One module of another width names file and module."""
    one = lora(tmp_path / "a.safetensors")
    two = write_lora(tmp_path / "b.safetensors", {**lora_of(), **lora_of(TEXT, inputs=512)})
    said = refused(tmp_path, Part(one), Part(two))
    assert TEXT in said
    assert "b.safetensors" in said


def test_ranks_that_no_ratio_makes_right(tmp_path: Path) -> None:
    """One file's ranks differ from module to module, the other's do not: resize is what helps."""
    one = lora(tmp_path / "a.safetensors")
    two = write_lora(tmp_path / "b.safetensors", {**lora_of(rank=4), **lora_of(TEXT, rank=2), **lora_of("lora_te_x")})
    assert "lora resize" in refused(tmp_path, Part(one), Part(two))


def test_what_is_no_whole_lora(tmp_path: Path) -> None:
    """Cut short, a pickle with another's ending, a LoHa, a nan: each before anything runs."""
    one = lora(tmp_path / "a.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(one.read_bytes()[:-10])
    pickle = tmp_path / "pickle.safetensors"
    pickle.write_bytes(b"\x80\x02}q\x00." + bytes(100))
    loha = write_lora(tmp_path / "loha.safetensors", {f"{MODULE}.hada_w1_a": np.zeros((4, 4), "float32")})
    broken = lora_of()
    broken[f"{MODULE}.lora_up.weight"][0, 0] = np.nan
    nan = write_lora(tmp_path / "nan.safetensors", broken)
    for path, said in ((cut, "cut short"), (pickle, "pickle"), (loha, "is a LoHa"), (nan, "nan or inf")):
        assert said in refused(tmp_path, Part(one), Part(path))


@pytest.mark.parametrize("verb", ["merge", "resize"])
def test_a_header_of_100_mb_is_not_read(tmp_path: Path, verb: str) -> None:
    """Refused by the length that it announces, at once and in little memory: as JSON it would take gigabytes."""
    one, large = lora(tmp_path / "a.safetensors"), tmp_path / "large.safetensors"
    length, begin = 100 << 20, b'{"__metadata__":{"ss_tag_frequency":"'
    with large.open("wb") as file:
        file.write(length.to_bytes(8, "little") + begin)
        file.seek(8 + length - 3)  # between them a hole, which takes no room on the disk
        file.write(b'"}}')
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(BadResultError, match=r"large\.safetensors: .* announces a header of 100 MiB"):
        if verb == "merge":
            merge([Part(one), Part(large)], tmp_path / "new.safetensors", tools=NONE)
        else:
            resize(large, tmp_path / "new.safetensors", Resizing(2), tools=NONE)
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (seconds < 1, peak < 1 << 20) == (True, True), (seconds, peak)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "large.safetensors"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Resizing(0), "rank of 0"),
        (Resizing(4), "would not make it smaller"),
        (Resizing(64), "would not make it smaller"),
        (Resizing(2, method="sv_fro", keep=1.5), "between 0 and 1"),
        (Resizing(2, method="sv_ratio", keep=0.5), "above 1"),
    ],
)
def test_sizes_that_cannot_be(tmp_path: Path, wanted: Resizing, said: str) -> None:
    """Ranks and shares that do not make it smaller."""
    with pytest.raises(BadResultError, match=said):
        resize(lora(tmp_path / "a.safetensors"), tmp_path / "new.safetensors", wanted, tools=NONE)


def fake(tmp_path: Path, source: str) -> Tools:
    """Give tools whose script is `source`."""
    (tmp_path / "sd/networks").mkdir(parents=True)
    for name in ("merge_lora.py", "resize_lora.py"):
        (tmp_path / "sd/networks" / name).write_text(source)
    return Tools(Path(sys.executable), tmp_path / "sd")


def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    """Its last words, its exit code; no file is left."""
    tools = fake(tmp_path, "import sys\nprint('dims differ')\nsys.exit(3)\n")
    one = lora(tmp_path / "a.safetensors")
    with pytest.raises(TrainingError, match="code 3: dims differ"):
        resize(one, tmp_path / "out/new.safetensors", Resizing(2), tools=tools)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_tool_leaves_is_checked(tmp_path: Path) -> None:
    """A file of other ranks than planned does not get the name."""
    source = "import sys, shutil\nshutil.copy(sys.argv[sys.argv.index('--model') + 1], 'new.safetensors')\n"
    with pytest.raises(BadResultError, match="other modules or ranks"):
        resize(
            lora(tmp_path / "a.safetensors"), tmp_path / "new.safetensors", Resizing(2), tools=fake(tmp_path, source)
        )
    assert not (tmp_path / "new.safetensors").exists()


@pytest.fixture(scope="module")
def tools(engine_python: Path, sd_scripts_checkout: Path) -> Tools:
    """The real ones."""
    return Tools(engine_python, sd_scripts_checkout)


@pytest.mark.sd_scripts
def test_a_merged_one_is_the_sum(tmp_path: Path, tools: Tools) -> None:
    """Different ranks and alphas, a negative weight, modules that only one has, a convolution: the sum, to rounding."""
    one = write_lora(
        tmp_path / "a.safetensors", {**lora_of(rank=4, seed=1), **lora_of(TEXT, rank=4, seed=2), **conv(2, 5)}
    )
    two = write_lora(tmp_path / "b.safetensors", {**lora_of(rank=8, seed=3), **conv(4, 6)})
    made = merge([Part(one, 0.6), Part(two, -0.4)], tmp_path / "new.safetensors", tools=tools)
    first, second, found = (updates(path) for path in (one, two, tmp_path / "new.safetensors"))
    assert found.keys() == first.keys() | second.keys()
    for name, update in found.items():
        expected = 0.6 * first[name] - 0.4 * second.get(name, 0)
        np.testing.assert_allclose(update, expected, atol=1e-5)
    assert made.structure.ranks == {12: 1, 4: 1}
    assert inspect_hashes(made).matches_metadata
    assert made.file.metadata["ss_training_comment"] == "merged from a:0.6, b:-0.4"


@pytest.mark.sd_scripts
def test_a_resized_one_is_the_nearest(tmp_path: Path, tools: Tools) -> None:
    """Rank 2 everywhere, as near as numpy's singular values say that rank 2 can be."""
    one = lora(tmp_path / "a.safetensors")
    made = resize(one, tmp_path / "new.safetensors", Resizing(2), tools=tools)
    before, after = updates(one), updates(tmp_path / "new.safetensors")
    assert made.structure.ranks == {2: 2}
    for name, update in before.items():
        left = np.linalg.svd(update, compute_uv=False)[2:]
        assert np.linalg.norm(update - after[name]) == pytest.approx(np.linalg.norm(left), rel=1e-3)


@pytest.mark.sd_scripts
def test_both_by_the_command_line(tmp_path: Path, tools: Tools) -> None:
    """FILE:WEIGHT, a rank to bring the sum to, and the last lines say what came out."""
    assert tools.python.exists()
    one, two = lora(tmp_path / "a.safetensors"), lora(tmp_path / "b.safetensors", seed=2)
    command = [str(Path(sys.executable).with_name("kohya-wrap")), "lora", "merge", f"{one}:0.5", f"{two}:0.5"]
    out = tmp_path / "sub/new.safetensors"
    said = subprocess.run([*command, "--out", str(out), "--rank", "6"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "rank 6" in said.stdout
    assert inspect_header(out).structure.ranks == {6: 2}


@pytest.mark.sd_scripts
def test_ready_tools_are_found(sd_scripts_checkout: Path) -> None:
    """Where they have been set up nothing is fetched."""
    said: list[str] = []
    found = Tools.ready(CachePaths.from_environment(), said.append)
    assert found.checkout == sd_scripts_checkout
    assert said == []
