"""[dataset]: where the pictures come from, what is done to them before a run, and which findings are accepted."""

from typing import Annotated, Literal

from pydantic import Field

from kohya_wrap.config.base import Strings, Table


class DatasetConfig(Table):
    """The Dataset Maker's steps. A run does those that were not done for these pictures yet; `dataset undo` undoes."""

    images: str | Strings = ()
    """Pictures, folders or links ("https://…/a.png#sha256=…") that are copied into the project's dataset folder, with
    the captions beside them. "builtin:demo" draws the demo's pictures. Empty: the folder is used as it is.
    Default: none. Source: kohya_wrap."""

    activation_tag: str = ""
    """The tag that calls the LoRA; captions are expected to start with it, and do after a step that writes them.
    Default: empty. Source: Dataset_Maker, global_activation_tag."""

    tagger: str = ""
    """Who tags pictures without a caption: wd-eva02-large-tagger-v3, wd-vit-large-tagger-v3, both, a repository of
    Hugging Face, or a folder with model.onnx and selected_tags.csv. Empty: nobody.
    Default: empty. Source: Dataset_Maker, method."""

    captioner: str = ""
    """Who writes a sentence for pictures without a caption, in the tagger's place: a repository of Hugging Face with a
    BLIP model (Salesforce/blip-image-captioning-large), or a folder with one. Empty: nobody.
    Default: empty. Source: Dataset_Maker, method."""

    tag_threshold: Annotated[float, Field(ge=0, le=1)] = 0.25
    """How sure the tagger must be of a tag. Default: 0.25. Source: Dataset_Maker, tag_threshold."""

    include_character_names: bool = False
    """Names of known characters, too. Default: false. Source: Dataset_Maker, include_character_names."""

    blacklist_tags: Strings = ()
    """Tags that the tagger does not write. Empty: the notebook's own ten.
    Default: empty. Source: Dataset_Maker, blacklist_tags."""

    expand: bool = False
    """Make the mirror image, a face crop and its mirror image of each picture.
    Default: false. Source: the tutorial's author did so by hand."""

    crop_box: str = ""
    """The face, as "x,y,width,height" in pixels or fractions of the picture. Empty: one is proposed.
    Default: empty. Source: kohya_wrap."""

    crop_drops: Strings = ()
    """Tags that a crop loses. Default: none. Source: kohya_wrap."""

    remove_tags: Strings = ()
    """Tags to take out of every caption. Default: none. Source: Dataset_Maker, remove_tags."""

    search_tags: Strings = ()
    """Tags to look for, and to replace by replace_with. Default: none. Source: Dataset_Maker, search_tags."""

    replace_with: Strings = ()
    """What the tags that were looked for become. Default: none. Source: Dataset_Maker, replace_with."""

    search_mode: Literal["OR", "AND"] = "OR"
    """Whether one of search_tags is enough, or all must be there. Default: OR. Source: Dataset_Maker, search_mode."""

    new_becomes_activation_tag: bool = False
    """Put the new tags first. Default: false. Source: Dataset_Maker, new_becomes_activation_tag."""

    sort_alphabetically: bool = False
    """Sort the tags behind the activation tag. Default: false. Source: Dataset_Maker, sort_alphabetically."""

    remove_duplicates: bool = False
    """Keep each tag of a caption once. Default: false. Source: Dataset_Maker, remove_duplicates."""

    accept: Strings = ()
    """Names of dataset findings ("exif-rotation", …) that are to be warnings instead of errors.
    Default: none. Source: kohya_wrap."""

    @property
    def curates(self) -> bool:
        """Whether captions are to be rewritten; an activation tag is put first only where others write captions."""
        asked = (self.remove_tags, self.search_tags, self.replace_with, self.sort_alphabetically)
        written = self.tagger or self.captioner
        return any(asked) or self.remove_duplicates or bool(self.activation_tag and written)
