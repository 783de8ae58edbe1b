"""A whole world for one test: Civitai, its storage, Hugging Face, and a machine with an empty cache."""

from dataclasses import dataclass
from pathlib import Path

from api_server import ApiServer
from civitai_routes import Civitai, CivitaiFile, CivitaiModel, CivitaiVersion

from kohya_wrap.base_models import BaseModelFile, Located, locate, obtain
from kohya_wrap.config import SetupConfig
from kohya_wrap.paths import CachePaths

LINK = "https://civitai.com/models/11?modelVersionId=101"
"""The link of what `World.put` puts there."""


@dataclass
class World:
    """Civitai, its storage, Hugging Face, and a machine with an empty cache."""

    site: ApiServer
    storage: ApiServer
    hub: ApiServer
    folder: Path

    @property
    def cache(self) -> CachePaths:
        """Where the store is."""
        return CachePaths(self.folder / "cache")

    @property
    def requests(self) -> int:
        """How many requests all hosts together have got."""
        return len(self.site.asked) + len(self.storage.asked) + len(self.hub.asked)

    def put(self, *files: CivitaiFile, base: str = "SD 1.5", kind: str = "Checkpoint", login: bool = False) -> None:
        """Put a model with these files on Civitai."""
        version = CivitaiVersion(101, "v", files, base=base, login=login)
        civitai = Civitai([CivitaiModel(11, "m", (version,), type=kind)], self.site.url, self.storage.url)
        self.site.routes.append(civitai)
        self.storage.routes.append(civitai.storage_route)

    def find(self, link: str, **setup: object) -> Located:
        """Locate a base model."""
        fields = {"project_name": "p", "optional_custom_training_model_url": link, **setup}
        return locate(SetupConfig.model_validate(fields), root=self.folder, cache=self.cache)

    def get(self, link: str, *, offline: bool = False, python: Path | None = None, **setup: object) -> BaseModelFile:
        """Locate and obtain a base model."""
        said: list[str] = []
        located = self.find(link, **setup)
        return obtain(located, cache=self.cache, say=said.append, offline=offline, python=python)
