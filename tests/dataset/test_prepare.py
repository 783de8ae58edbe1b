"""From a preset to counts: pictures, repeats, buckets and batches, by hand-worked examples."""

from pathlib import Path

import pytest
from dataset_helpers import Tables, captioned, codes, config_of, draw, found, only, prepared, project_of
from PIL import Image

from kohya_wrap.dataset import prepare
from kohya_wrap.dataset.rules import bucket_rules
from kohya_wrap.dataset.types import Bucket
from kohya_wrap.paths import ProjectPaths


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return project_of(tmp_path)


def custom(text: str, **tables: dict[str, object]) -> Tables:
    return {"extras": {"custom_dataset": text}, **tables}


def folders(root: Path, **counts: int) -> None:
    """Draw so many captioned pictures into each folder."""
    for name, count in counts.items():
        for number in range(count):
            captioned(root / name / f"{name}{number}.png")


TWO = """
[[datasets]]
[[datasets.subsets]]
image_dir = "many"
num_repeats = 3
keep_tokens = 2
[[datasets.subsets]]
image_dir = "few"
"""


def test_one_picture_of_the_tutorial(project: ProjectPaths) -> None:
    """1 picture x 10 repeats in batches of 2 is 5 batches an epoch, as the tutorial has it."""
    captioned(project.dataset / "lakto.png", (512, 512))
    dataset = prepared(project, {"processing": {"resolution": 512}})
    assert (dataset.train_images, dataset.batches_per_epoch) == (10, 5)
    assert dataset.groups[0].buckets == (Bucket(512, 512, 10),)


def test_buckets_round_up_one_by_one(project: ProjectPaths) -> None:
    """3 and 3 pictures in two buckets in batches of 2 are 4 batches, where 6 / 2 would be 3."""
    for number in range(3):
        captioned(project.dataset / f"square{number}.png", (512, 512))
        captioned(project.dataset / f"tall{number}.png", (512, 768))
    dataset = prepared(project, {"processing": {"resolution": 512}, "steps": {"num_repeats": 1}})
    assert dataset.groups[0].buckets == (Bucket(384, 640, 3), Bucket(512, 512, 3))
    assert (dataset.train_images, dataset.batches_per_epoch) == (6, 4)


def test_flip_adds_no_pictures(project: ProjectPaths) -> None:
    """flip_aug does not change what an epoch counts."""
    captioned(project.dataset / "x.png")
    assert prepared(project, {"processing": {"flip_aug": True}}).train_images == 10


def test_numbers_of_the_demo(project: ProjectPaths) -> None:
    """The demo: 4 drawn pictures x 5 repeats in batches of 2 are 10 batches an epoch."""
    dataset = prepared(project, {"dataset": {"images": "builtin:demo"}, "steps": {"num_repeats": 5}})
    assert (dataset.train_images, dataset.batches_per_epoch, dataset.builtin) == (20, 10, project.dataset)
    assert dataset.groups[0].buckets == (Bucket(64, 64, 20),)
    assert not dataset.findings


def test_demo_without_captions(project: ProjectPaths) -> None:
    """The demo's captions end in .txt; another ending leaves the pictures without."""
    tables: Tables = {"dataset": {"images": "builtin:demo"}, "processing": {"caption_extension": ".caption"}}
    assert not prepared(project, tables).has_captions


@pytest.mark.parametrize(
    ("resolution", "low", "high"),
    [(512, 256, 1024), (640, 256, 1024), (704, 320, 1280), (768, 320, 1280), (1024, 320, 1280), (64, 64, 1024)],
)
def test_limits_of_the_notebook(resolution: int, low: int, high: int) -> None:
    """Bucket limits follow the resolution as in the notebook, and never exclude it."""
    rules = bucket_rules(config_of({"processing": {"resolution": resolution}}))
    assert (rules.min_bucket_reso, rules.max_bucket_reso) == (low, high)


def test_custom_dataset(project: ProjectPaths) -> None:
    """Several folders count with their own repeats; further keys go along as they are."""
    folders(project.root, many=4, few=2)
    dataset = prepared(project, custom(TWO))
    assert not dataset.findings
    assert (dataset.train_images, dataset.batches_per_epoch) == (4 * 3 + 2, 7)
    many, few = dataset.groups[0].subsets
    assert (many.options, few.num_repeats, few.image_dir) == ({"keep_tokens": 2}, 1, project.root / "few")


def test_two_datasets(project: ProjectPaths) -> None:
    """Each [[datasets]] has its own resolution and batch size; one folder may be in both."""
    folders(project.root, many=4)
    text = "".join(
        f'[[datasets]]\nresolution = {side}\nbatch_size = {batch}\n[[datasets.subsets]]\nimage_dir = "many"\n'
        for side, batch in ((64, 1), (128, 4))
    )
    dataset = prepared(project, custom(text))
    assert [group.batches for group in dataset.groups] == [4, 1]
    assert codes(dataset.findings) == ["upscaled"]


def test_folder_twice(project: ProjectPaths) -> None:
    """The engine uses only the first of two subsets with one folder; a slash at the end does not hide it."""
    folders(project.root, many=1)
    text = TWO.replace('"few"', '"./many/"')
    assert only(found(project, custom(text)), "folder-twice").where == str(project.root / "many")


def test_shared_cache(project: ProjectPaths) -> None:
    """With latents on disk, two datasets of different resolution would overwrite each other's."""
    folders(project.root, many=1)
    text = "".join(
        f'[[datasets]]\nresolution = {side}\n[[datasets.subsets]]\nimage_dir = "many"\n' for side in (64, 128)
    )
    tables = custom(text, sd_scripts={"cache_latents_to_disk": True})
    assert "shared-cache" in codes(found(project, tables))


def test_reused_cache(project: ProjectPaths) -> None:
    """Latents that fit are named where the engine would read them, and only there."""
    captioned(project.dataset / "x.png")
    (project.dataset / "x_0096x0080_sd.npz").write_bytes(b"PK")
    assert codes(found(project, {"sd_scripts": {"cache_latents_to_disk": True}})) == ["reused-cache"]
    assert found(project) == []


def test_regularization(project: ProjectPaths) -> None:
    """Regularization pictures are evened out with the training, and those beyond it are told."""
    folders(project.root, many=2, few=3)
    text = TWO.replace("num_repeats = 3", "num_repeats = 1") + "is_reg = true\n"
    dataset = prepared(project, custom(text))
    assert (dataset.train_images, dataset.reg_images, dataset.batches_per_epoch) == (2, 3, 2)
    assert only(dataset.findings, "reg-dropped").what.startswith("1 ")


def test_regularization_needs_no_tag(project: ProjectPaths) -> None:
    """Captions of regularization pictures are not expected to start with the activation tag."""
    folders(project.root, many=2)
    captioned(project.root / "few" / "x.png", caption="a forest\n")
    tables = custom(TWO + "is_reg = true\n", dataset={"activation_tag": "tiger"})
    assert found(project, tables) == []


def test_class_tokens_are_captions(project: ProjectPaths) -> None:
    """A folder with class_tokens needs no captions."""
    folders(project.root, many=1)
    draw(project.root / "few" / "x.png")
    assert codes(found(project, custom(TWO))) == ["caption-missing"]
    assert found(project, custom(TWO + 'class_tokens = "forest"\n')) == []


def test_own_caption_extension(project: ProjectPaths) -> None:
    """A subset may read captions of another ending."""
    folders(project.root, many=1)
    draw(project.root / "few" / "x.png")
    (project.root / "few" / "x.cap").write_text("tiger\n", encoding="utf-8")
    assert found(project, custom(TWO + 'caption_extension = "cap"\n')) == []


def test_alpha_mask(project: ProjectPaths) -> None:
    """Transparency is no finding where it masks the loss."""
    folders(project.root, many=1)
    (project.root / "few").mkdir()
    Image.new("RGBA", (96, 80)).save(project.root / "few" / "x.png")
    (project.root / "few" / "x.txt").write_text("tiger\n", encoding="utf-8")
    assert found(project, custom(TWO + "alpha_mask = true\n")) == []
    assert codes(found(project, custom(TWO))) == ["transparency"]


def test_wildcard_captions(project: ProjectPaths) -> None:
    """With enable_wildcard every line of a caption counts."""
    folders(project.root, many=1)
    captioned(project.root / "few" / "x.png", caption="\ntiger, a\ntiger, b\n")
    assert found(project, custom(TWO + "enable_wildcard = true\n")) == []


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[[datasets]", "custom-dataset", "not TOML"),
        ("", "custom-dataset", "[[datasets]]"),
        ("[[datasets]]", "custom-dataset", "subsets"),
        ("[general]\n" + TWO, "custom-dataset", "only [[datasets]]"),
        (TWO.replace("keep_tokens", "keep_token"), "custom-dataset", "keep_tokens"),
        (TWO.replace("num_repeats = 3", 'num_repeats = "3"'), "custom-dataset", "whole number"),
        (TWO.replace("keep_tokens = 2", "flip_aug = 1"), "custom-dataset", "true or false"),
        (TWO.replace("keep_tokens = 2", "caption_dropout_rate = 5"), "custom-dataset", "between 0 and 1"),
        (TWO.replace("keep_tokens = 2", "random_crop = true"), "custom-dataset", "cache_latents"),
        (TWO.replace('image_dir = "few"', ""), "custom-dataset", "image_dir"),
        (TWO.replace("num_repeats = 3", "num_repeats = 0"), "no-repeats", "0"),
        (TWO.replace("[[datasets]]", "[[datasets]]\nvalidation_split = 0.2"), "not-yet", "validation"),
        (TWO.replace("[[datasets]]", "[[datasets]]\nresolution = 1"), "custom-dataset", "64"),
        (TWO.replace("[[datasets]]", "[[datasets]]\nbatch_size = 0"), "custom-dataset", "less than 1"),
        (TWO.replace("[[datasets]]", "[[datasets]]\nbucket_reso_steps = 8"), "bucket-limits", "64"),
        (TWO.replace("[[datasets]]", "[[datasets]]\nmin_bucket_reso = 128"), "bucket-limits", "above"),
        (TWO.replace("[[datasets]]", "[[datasets]]\nmin_bucket_reso = 32"), "bucket-limits", "below"),
        (TWO.replace("[[datasets]]", "[[datasets]]\nresolution = [64, 2048]\nmax_bucket_reso = 1024"), "bucket-limits",
         "below"),
        (TWO.replace('"few"', '"nowhere"'), "folder-missing", "does not exist"),
        (TWO.replace('"few"', '"few/few0.png"'), "folder-missing", "no folder"),
        (TWO.replace('"few"', '"~nobody-of-this-name/x"'), "folder-missing", "does not exist"),
    ],
)  # fmt: skip
def test_wrong_custom_dataset(project: ProjectPaths, text: str, code: str, says: str) -> None:
    """What is wrong with a custom dataset is said before the launch, and nothing fails on it."""
    folders(project.root, many=1, few=1)
    tables: Tables = {"extras": {"custom_dataset": text or "\n"}}
    problems = [problem for problem in found(project, tables) if problem.code == code]
    assert any(says in problem.what for problem in problems)


def test_bucket_sizes_too_large(project: ProjectPaths) -> None:
    """Without buckets and without cached latents the engine stops at a picture larger than the resolution."""
    folders(project.root, many=1, few=1)
    text = TWO.replace("[[datasets]]", "[[datasets]]\nenable_bucket = false")
    assert codes(found(project, custom(text, engine={"cache_latents": False}))) == ["too-large", "too-large"]
    assert found(project, custom(text)) == []


def test_too_small(project: ProjectPaths) -> None:
    """With bucket_no_upscale a side below one step stops the engine."""
    folders(project.root, many=1)
    captioned(project.root / "few" / "thin.png", (900, 60))
    text = TWO.replace("[[datasets]]", "[[datasets]]\nresolution = 128\nbucket_no_upscale = true")
    assert only(found(project, custom(text)), "too-small").where.endswith("thin.png")


def test_dataset_file(project: ProjectPaths) -> None:
    """A file that is used as it is counts with the engine's defaults: no buckets, one repeat, what [general] says."""
    folders(project.root, many=3)
    file = project.root / "dataset.toml"
    subset = '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "many"\ncaption_extension = ".txt"\n'
    file.write_text("[general]\nresolution = 128\nbatch_size = 2\n" + subset, encoding="utf-8")
    dataset = prepared(project, {"extras": {"override_dataset_config_file": "dataset.toml"}})
    assert dataset.groups[0].buckets == (Bucket(128, 128, 3),)
    assert dataset.batches_per_epoch == 2
    assert codes(dataset.findings) == ["upscaled"]


def test_dataset_file_has_no_buckets(project: ProjectPaths) -> None:
    """Where such a file does not switch buckets on, a wide picture is cropped to the resolution."""
    captioned(project.root / "many" / "wide.png", (900, 300))
    text = '[general]\nresolution = 512\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = "many"\n'
    (project.root / "dataset.toml").write_text(text, encoding="utf-8")
    dataset = prepared(project, {"extras": {"override_dataset_config_file": "dataset.toml"}})
    assert dataset.groups[0].buckets == (Bucket(512, 512, 1),)


def test_dataset_file_without_captions(project: ProjectPaths) -> None:
    """In a file that is used as it is the engine looks for .caption, and no name stands in for captions."""
    folders(project.root, many=1)
    text = '[general]\nresolution = 64\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = "many"\n'
    (project.root / "dataset.toml").write_text(text, encoding="utf-8")
    tables: Tables = {"extras": {"override_dataset_config_file": "dataset.toml"}}
    assert codes(found(project, tables)) == ["caption-ending", "caption-missing"]
    (project.root / "dataset.toml").write_text(text + 'class_tokens = "tiger"\n', encoding="utf-8")
    assert codes(found(project, tables)) == ["caption-ending"]


def test_dataset_file_is_missing(project: ProjectPaths) -> None:
    """A dataset file that cannot be read is a finding."""
    assert codes(found(project, {"extras": {"override_dataset_config_file": "no.toml"}})) == ["custom-dataset"]


def test_no_captions(project: ProjectPaths) -> None:
    """Without any caption the project's name stands in, which is said."""
    draw(project.dataset / "x.png")
    dataset = prepared(project)
    assert (codes(dataset.findings), dataset.has_captions) == (["no-captions"], False)


def test_captions_switched_off(project: ProjectPaths) -> None:
    """An empty caption_extension means no captions, on purpose."""
    captioned(project.dataset / "x.png")
    dataset = prepared(project, {"processing": {"caption_extension": ""}})
    assert (dataset.findings, dataset.has_captions) == ((), False)


def test_other_ending_everywhere(project: ProjectPaths) -> None:
    """Captions of another ending than the preset's are not taken for no captions at all."""
    draw(project.dataset / "x.png")
    (project.dataset / "x.caption").write_text("tiger\n", encoding="utf-8")
    assert codes(found(project)) == ["caption-ending", "no-captions"]


def test_relative_paths_start_at_the_root(project: ProjectPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which one stands does not matter."""
    folders(project.root, many=1, few=1)
    (project.root / "elsewhere").mkdir()
    monkeypatch.chdir(project.root / "elsewhere")
    assert prepare(config_of(custom(TWO)), project).train_images == 4


def test_a_folder_below_another_subset_is_no_finding_where_it_is_one_itself(project: ProjectPaths) -> None:
    """expand --subsets puts each kind of picture below the dataset, and names each as a subset."""
    captioned(project.dataset / "a.png")
    captioned(project.dataset / "face" / "a-face.png")
    subsets = "".join(
        f'[[datasets.subsets]]\nimage_dir = "{folder}"\nnum_repeats = 1\n'
        for folder in (project.dataset, project.dataset / "face")
    )
    assert codes(found(project, {"extras": {"custom_dataset": f"[[datasets]]\n{subsets}"}})) == []
