"""job -> the dataset TOML, as a pure function."""

from kohya_wrap.dataset.types import BucketRules, DatasetGroup, Subset
from kohya_wrap.errors import PresetError
from kohya_wrap.sd_scripts.job import TrainingJob
from kohya_wrap.sd_scripts.notebook_values import Section
from kohya_wrap.sd_scripts.toml_text import render


def dataset_toml(job: TrainingJob) -> str:
    """Give the text of the file that --dataset_config names.

    [general] and [[datasets]] with [[datasets.subsets]], as the notebook writes them; the bucket rules are those that
    the dataset room counted with. With extras.override_dataset_config_file it is that file, word for word. Raises
    PresetError where a value cannot be written. Source: Lora_Trainer, create_config.
    """
    if job.config.extras.override_dataset_config_file:
        return render(_overridden(job))
    general = _general(job)
    datasets = [_dataset(group, job, general) for group in job.dataset.groups]
    return render({"general": general, "datasets": datasets})


def _overridden(job: TrainingJob) -> dict[str, object]:
    if job.overrides.dataset is None:
        raise PresetError(
            "was named, but not read",
            where="extras.override_dataset_config_file",
            todo="pass overrides=read_overrides(…)",
        )
    return dict(job.overrides.dataset)


def _general(job: TrainingJob) -> Section:
    processing = job.config.processing
    rules = job.dataset.groups[0].rules if job.dataset.groups else None
    buckets = _rules(rules) if rules else {"resolution": processing.resolution}
    resolution = buckets.pop("resolution")
    return {
        "resolution": resolution,
        "shuffle_caption": processing.shuffle_tags,
        "keep_tokens": processing.activation_tags,
        "flip_aug": processing.flip_aug,
        "caption_extension": processing.caption_extension if job.dataset.has_captions else "",
        **buckets,
    }


def _rules(rules: BucketRules) -> Section:
    width, height = rules.resolution
    return {
        "resolution": width if width == height else [width, height],
        "enable_bucket": rules.enable_bucket,
        "bucket_reso_steps": rules.bucket_reso_steps,
        "bucket_no_upscale": rules.bucket_no_upscale,
        "min_bucket_reso": rules.min_bucket_reso,
        "max_bucket_reso": rules.max_bucket_reso,
    }


def _dataset(group: DatasetGroup, job: TrainingJob, general: Section) -> Section:
    """Give one [[datasets]] entry: what differs from [general], its own options, its subsets."""
    own = {key: value for key, value in _rules(group.rules).items() if general[key] != value}
    if group.rules.batch_size != job.config.steps.train_batch_size:
        own["batch_size"] = group.rules.batch_size
    return own | dict(group.options) | {"subsets": [_subset(subset, job) for subset in group.subsets]}


def _subset(subset: Subset, job: TrainingJob) -> Section:
    section: Section = {"num_repeats": subset.num_repeats, "image_dir": str(subset.image_dir)}
    class_tokens = subset.class_tokens
    if class_tokens is None and not job.dataset.has_captions:
        class_tokens = job.config.setup.project_name
    if class_tokens is not None:
        section["class_tokens"] = class_tokens
    if subset.is_reg:
        section["is_reg"] = True
    return section | dict(subset.options)
