"""Where tensors lie in the activation buffer, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from quant.errors import BadInputError
from quant.float_network import Shape
from quant.integer_network import Argmax, Conv2d, Flatten, IntegerNetwork


@dataclass(frozen=True, slots=True)
class Layout:
    """A stored tensor: pixels row by row; in a pixel plane by plane; in a plane a word for each `lanes` channels.

    A vector is a map of one pixel. Plane p holds bits [p * code_bits, (p + 1) * code_bits) of every value.
    """

    channels: int
    height: int
    width: int
    planes: int
    lanes: int

    @property
    def plane_step(self) -> int:
        """Words of one plane of one pixel."""
        return -(-self.channels // self.lanes)

    @property
    def pixel_step(self) -> int:
        """Words of one pixel."""
        return self.planes * self.plane_step

    @property
    def row_step(self) -> int:
        """Words of one row."""
        return self.width * self.pixel_step

    @property
    def words(self) -> int:
        """Words of the whole tensor."""
        return self.height * self.row_step


def layout(shape: Shape, bits: int, lanes: int, code_bits: int) -> Layout:
    """Layout of a tensor of shape (C, H, W) or (C,)."""
    channels, height, width = shape if len(shape) == 3 else (*shape, 1, 1)
    return Layout(channels, height, width, -(-bits // code_bits), lanes)


def stored_name(network: IntegerNetwork, tensor: str) -> str:
    """The node whose stored tensor `tensor` is: `Flatten` moves nothing."""
    node = network[tensor]
    return stored_name(network, node.source) if isinstance(node, Flatten) else tensor


def last_reads(network: IntegerNetwork) -> dict[str, int]:
    """Position of the last node that reads each stored tensor; a tensor nobody reads lives until it is written."""
    reads: dict[str, int] = {}
    for position, node in enumerate(network):
        if isinstance(node, Flatten | Argmax):
            continue
        reads[node.name] = position
        for attribute in ("source", "shortcut"):
            tensor = getattr(node, attribute, None)
            if tensor is not None:
                reads[stored_name(network, tensor)] = position
    return reads


def allocate(network: IntegerNetwork, layouts: dict[str, Layout]) -> tuple[dict[str, int], int]:
    """First-fit base addresses of the tensors in `layouts`, and the depth they need.

    A tensor keeps its words from the node that writes it to the last that reads it: no layer overwrites its source.
    """
    reads = last_reads(network)
    live: list[tuple[int, int, str]] = []
    bases: dict[str, int] = {}
    for position, node in enumerate(network):
        if node.name not in layouts:
            continue
        live = [entry for entry in live if reads[entry[2]] >= position]
        base = 0
        for start, end, _ in sorted(live):
            if base + layouts[node.name].words <= start:
                break
            base = max(base, end)
        bases[node.name] = base
        live.append((base, base + layouts[node.name].words, node.name))
    depth = max(bases[name] + layouts[name].words for name in bases)
    return bases, depth


def output_node(network: IntegerNetwork) -> str:
    """The node whose values leave by the stream; raises BadInputError where the stream's order is not the tensor's."""
    name = stored_name(network, network.output)
    shape = network.shapes[name]
    if network.output != name and len(shape) == 3 and shape[1:] != (1, 1):
        raise BadInputError(
            f"output of network {network.name} must be a map or a vector of one pixel, "
            f"not a flattened map of shape {shape}"
        )
    if name == network.input.name:
        raise BadInputError(f"network {network.name} must compute its output, not pass its input through")
    node = network[name]
    if isinstance(node, Conv2d) and node.groups > 1 and shape[1:] != (1, 1):
        # Groups run one after the other, so the stream would carry whole maps of channels.
        raise BadInputError(
            f"output {name} of network {network.name} must have one group or be a map of one pixel, "
            f"not {node.groups} groups on a map of shape {shape}"
        )
    readers = [node.name for node in network.consumers(name) if not isinstance(node, Flatten | Argmax)]
    if readers:
        raise BadInputError(
            f"output {name} of network {network.name} must not be read by other layers, not by {readers[0]}"
        )
    return name
