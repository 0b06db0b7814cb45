"""Where tensors lie in the activation buffers, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quant.errors import BadInputError
from quant.float_network import Shape
from quant.integer_network import Argmax, Conv2d, Flatten, IntegerNetwork, Linear
from rtl.descriptor import Buffer

MAX_CROSSINGS = 7


@dataclass(frozen=True, slots=True)
class Layout:
    """A stored tensor: channel by channel, pixel by pixel; lines `line_codes` apart; plane after plane.

    A vector is a map of one pixel. Plane p holds bits [p * code_bits, (p + 1) * code_bits) of every value.

    Attributes:
        channels, height, width: of the map.
        planes: of a value.
        lanes: codes of a row of banks.
        line_codes: codes from line to line, at least those of a line.
    """

    channels: int
    height: int
    width: int
    planes: int
    lanes: int
    line_codes: int

    @property
    def plane_rows(self) -> int:
        """Rows of one plane."""
        return -(-((self.height - 1) * self.line_codes + self.width * self.channels) // self.lanes)

    @property
    def rows(self) -> int:
        """Rows of the whole tensor."""
        return self.planes * self.plane_rows


def layout(shape: Shape, bits: int, lanes: int, code_bits: int) -> Layout:
    """The dense layout of a tensor of shape (C, H, W) or (C,)."""
    channels, height, width = shape if len(shape) == 3 else (*shape, 1, 1)
    return Layout(channels, height, width, -(-bits // code_bits), lanes, width * channels)


def crossings(kernel_height: int, kernel_codes: int, lanes: int) -> int:
    """Most lines of a window that begin inside one of its words, its codes cut into words of `lanes`."""
    inside = [line * kernel_codes // lanes for line in range(1, kernel_height) if line * kernel_codes % lanes]
    return max((inside.count(word) for word in set(inside)), default=0)


def window_codes(node: Conv2d | Linear, place: Layout) -> tuple[int, int]:
    """Lines of a node's window on the stored map `place`, and codes of each."""
    if isinstance(node, Linear):
        return place.height, place.width * place.channels
    return node.weight.shape[2], node.weight.shape[3] * place.channels


def skewed(network: IntegerNetwork, name: str, dense: Layout) -> Layout:
    """The layout whose lines are so far apart that the windows of its busiest reader are one run of codes.

    Line r + 1 of a window begins in the bank behind the last code of line r: then the distance of the lines equals the
    codes of a window's line, modulo the lanes. The lines are moved apart by fewer codes than there are lanes.
    """
    best, busiest = dense, 0
    for node in network:
        if not isinstance(node, Conv2d | Linear) or stored_name(network, node.source) != name:
            continue
        lines, codes = window_codes(node, dense)
        taps = node.weight.size * (1 if isinstance(node, Linear) else _pixels(network, node))
        grouped = isinstance(node, Conv2d) and node.groups > 1
        if lines == 1 or grouped or taps <= busiest or crossings(lines, codes, dense.lanes) > MAX_CROSSINGS:
            continue
        best, busiest = replace(dense, line_codes=dense.line_codes + (codes - dense.line_codes) % dense.lanes), taps
    return best


def _pixels(network: IntegerNetwork, node: Conv2d) -> int:
    _, height, width = network.shapes[node.name]
    return int(height * width)


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


def choose_buffers(network: IntegerNetwork, names: list[str]) -> dict[str, Buffer]:
    """A buffer for each stored tensor: a shortcut lies in another one than its layer's source where that is possible.

    Goes through the layers in order and puts each tensor where the earlier ones leave the fewest conflicts; then where
    the words of the smaller buffer are.
    """
    buffers = {network.input.name: Buffer.IMAGE}
    pairs = [
        {stored_name(network, source), stored_name(network, shortcut)}
        for source, shortcut in ((getattr(n, "source", None), getattr(n, "shortcut", None)) for n in network)
        if source is not None and shortcut is not None
    ]
    position = {node.name: index for index, node in enumerate(network)}
    reads = last_reads(network)
    for name in names:
        if name in buffers:
            continue
        rivals = [other for pair in pairs if name in pair for other in pair - {name}]
        taken = [buffers[other] for other in rivals if other in buffers]
        alive = [b for n, b in buffers.items() if reads[n] >= position[name]]
        buffers[name] = min((Buffer.A, Buffer.B), key=lambda b: (taken.count(b), alive.count(b), b))
    return buffers


def allocate(
    network: IntegerNetwork, layouts: dict[str, Layout], buffers: dict[str, Buffer]
) -> tuple[dict[str, int], dict[Buffer, int]]:
    """First-fit base rows of the tensors in `layouts`, and the rows that each buffer needs, at least 1.

    A tensor keeps its rows from the node that writes it to the last that reads it: no layer overwrites its source.
    """
    reads = last_reads(network)
    live: list[tuple[int, int, str]] = []
    bases: dict[str, int] = {}
    for position, node in enumerate(network):
        if node.name not in layouts:
            continue
        live = [entry for entry in live if reads[entry[2]] >= position]
        base, rows = 0, layouts[node.name].rows
        for start, end, _ in sorted(entry for entry in live if buffers[entry[2]] is buffers[node.name]):
            if base + rows <= start:
                break
            base = max(base, end)
        bases[node.name] = base
        live.append((base, base + rows, node.name))
    depths = {
        buffer: max((bases[name] + layouts[name].rows for name in bases if buffers[name] is buffer), default=1)
        for buffer in Buffer
    }
    return bases, depths


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
