"""What `choose` gives on two machines: one with a GPU, one without."""

from kohya_wrap.config import HardwareChoices

GPU = HardwareChoices(
    mixed_precision="fp16",
    attention="xformers",
    optimizer="AdamW8bit",
    max_data_loader_n_workers=2,
    persistent_data_loader_workers=True,
    lowram=False,
    num_processes=1,
    num_cpu_threads=4,
    use_cpu=False,
)
CPU = HardwareChoices(
    mixed_precision="no",
    attention="sdpa",
    optimizer="AdamW",
    max_data_loader_n_workers=0,
    persistent_data_loader_workers=False,
    lowram=False,
    num_processes=1,
    num_cpu_threads=2,
    use_cpu=True,
)
