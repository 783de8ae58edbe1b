"""A ComfyUI graph as data: nodes, links, and the values behind links."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MOST_NODES = 20_000
_DEPTH = 64
_VALUE_KEYS = ("value", "text", "string", "seed", "noise_seed", "int", "float", "Text", "prompt", "Value", "number")

WIDGETS: Mapping[str, tuple[str, ...]] = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
    "CLIPTextEncode": ("text",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
    "VAELoader": ("vae_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "RandomNoise": ("noise_seed",),
    "CFGGuider": ("cfg",),
}
"""Order of the values that the UI graph stores without names, of ComfyUI's own nodes; "" is a control of the UI."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its id, its type, and its inputs, plain values or links (lists of a node id and an output number)."""

    id: str
    type: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """All nodes by id."""

    nodes: Mapping[str, Node]

    def behind(self, value: object) -> Node | None:
        """Give the node a link points to, None of a plain value."""
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
            return self.nodes.get(str(value[0]))
        return None

    def links(self, node: Node) -> Iterator[Node]:
        """Yield the nodes that feed `node`, in order of its inputs."""
        for value in node.inputs.values():
            if (other := self.behind(value)) is not None:
                yield other

    def upstream(self, start: Node) -> Iterator[Node]:
        """Yield `start` and all that feeds it, nearest first, each once, so that cycles end."""
        seen, row = {start.id}, [start]
        while row:
            following: list[Node] = []
            for node in row:
                yield node
                for other in self.links(node):
                    if other.id not in seen:
                        seen.add(other.id)
                        following.append(other)
            row = following

    def value(self, node: Node, *keys: str) -> Any:
        """Give the first of the inputs `keys` that is there, following links to the node that holds the value."""
        for key in keys:
            if key in node.inputs:
                return self._resolved(node.inputs[key])
        return None

    def _resolved(self, value: Any) -> Any:
        for _ in range(_DEPTH):
            source = self.behind(value)
            if source is None:
                break
            value = next((source.inputs[key] for key in _VALUE_KEYS if key in source.inputs), None)
        return None if isinstance(value, list | dict) else value


def read_api_graph(data: object) -> Graph | None:
    """Read the graph under the key `prompt`; None when it is none."""
    if not isinstance(data, dict) or len(data) > _MOST_NODES:
        return None
    nodes = {
        str(key): Node(str(key), entry["class_type"], entry["inputs"])
        for key, entry in data.items()
        if isinstance(entry, dict)
        and isinstance(entry.get("class_type"), str)
        and isinstance(entry.get("inputs"), dict)
    }
    return Graph(nodes) if nodes else None


def read_ui_graph(data: object) -> Graph | None:
    """Read the graph under the key `workflow`, which names no widgets, as far as ComfyUI's own nodes go."""
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list) or len(data["nodes"]) > _MOST_NODES:
        return None
    links = _ui_links(data.get("links"))
    nodes = {}
    for entry in data["nodes"]:
        if isinstance(entry, dict) and isinstance(entry.get("type"), str) and "id" in entry:
            key = str(entry["id"])
            nodes[key] = Node(key, entry["type"], _ui_inputs(entry, links))
    return Graph(nodes) if nodes else None


def _ui_links(links: object) -> dict[Any, list[Any]]:
    """Map the id of a link to [node id, output number]; a link is [id, from node, from output, to node, …]."""
    rows = links if isinstance(links, list) else []
    return {row[0]: [row[1], row[2]] for row in rows if isinstance(row, list) and len(row) >= 3 and _is_key(row[0])}


def _is_key(value: object) -> bool:
    return isinstance(value, int | str)


def _ui_inputs(entry: dict[str, Any], links: Mapping[Any, list[Any]]) -> dict[str, Any]:
    values = entry.get("widgets_values")
    names = WIDGETS.get(entry["type"], ())
    inputs: dict[str, Any] = dict(zip(names, values, strict=False)) if isinstance(values, list) else {}
    slots = entry.get("inputs")
    for slot in slots if isinstance(slots, list) else ():
        if isinstance(slot, dict) and _is_key(slot.get("link")) and slot["link"] in links:
            inputs[str(slot.get("name"))] = links[slot["link"]]
    if not names and isinstance(values, list) and len(values) == 1:
        inputs.setdefault("value", values[0])
    return inputs
