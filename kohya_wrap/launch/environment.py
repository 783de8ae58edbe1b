"""The environment of a command: named variables of the caller's, and what is set for it; nothing else gets through."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from kohya_wrap.launch.redact import is_secret_name

INHERITED = frozenset(
    {
        # Who and where.
        "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TEMP", "TMP", "TMPDIR", "TZ", "USER",
        # How to reach the network, and whom to trust there.
        "ALL_PROXY", "CURL_CA_BUNDLE", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE",
        # Libraries and devices.
        "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TORCH_HOME", "TRITON_CACHE_DIR",
    }
)  # fmt: skip
INHERITED_PREFIXES = (
    "LC_", "SSL_CERT_", "XDG_", "HF_",
    "CUDA_", "CUDNN_", "NCCL_", "NVIDIA_", "PYTORCH_", "TORCHINDUCTOR_", "HIP_", "HSA_", "ROCR_",
)  # fmt: skip

STREAMING = MappingProxyType(
    {
        # Without it Python keeps back what it prints into a pipe, up to its end.
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        # rich breaks lines, in the middle of paths, at 80 columns unless told otherwise.
        "COLUMNS": "400",
        # tqdm pads its bars to COLUMNS, which would make the log of a long run ten times as large.
        "TQDM_NCOLS": "160",
    }
)
"""Set so that the output arrives at once and whole."""


def clean_environment(base: Mapping[str, str], *, add: Mapping[str, str], keep: Collection[str] = ()) -> dict[str, str]:
    """Give what of `base` a command may know, and `add`, which wins; sorted by name.

    Secrets get through only when named in `keep`. A name in `keep` that ends in "_" stands for all that begin with it.
    PYTHONPATH, PYTHONHOME and thread counts never get through: they would change what runs.
    """
    kept = {name: value for name, value in base.items() if _passes(name, keep)}
    return dict(sorted({**kept, **STREAMING, **add}.items()))


def _passes(name: str, keep: Collection[str]) -> bool:
    if name in keep:
        return True
    prefixes = (*INHERITED_PREFIXES, *(each for each in keep if each.endswith("_")))
    known = name in INHERITED or name.upper() in INHERITED or name.startswith(prefixes)
    return known and not is_secret_name(name)
