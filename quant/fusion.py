"""Which float nodes become one integer node: a layer or pool with the batch norm, addition and ReLU behind it."""

from __future__ import annotations

from dataclasses import dataclass

from quant.float_network import (
    Add,
    Argmax,
    AveragePool,
    BatchNorm,
    Conv2d,
    Flatten,
    FloatNetwork,
    FloatNode,
    Linear,
    MaxPool,
    Relu,
    sources,
)

Core = Conv2d | Linear | AveragePool


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Float nodes that one integer node computes: `relu(norms(core(source)) + shortcut)`, each part optional.

    Attributes:
        nodes: all the float nodes, in order; the stage's output is the last one's.
        core: the layer or pool; None for an elementwise stage, and for `MaxPool`, `Flatten` and `Argmax`.
        source: tensor that the stage reads.
        norms: batch norms between core and addition.
        shortcut: the other operand of the residual addition.
        relu: whether a ReLU ends the stage.
    """

    nodes: tuple[FloatNode, ...]
    core: Core | None
    source: str
    norms: tuple[BatchNorm, ...] = ()
    shortcut: str | None = None
    relu: bool = False

    @property
    def name(self) -> str:
        """Name of the integer node: the core's, or the first node's."""
        return self.nodes[0].name

    @property
    def output(self) -> str:
        """Name of the float tensor that the stage produces."""
        return self.nodes[-1].name


def _producer_of_branch(network: FloatNetwork, tensor: str) -> Core | None:
    """The core at the head of `tensor`'s branch when only batch norms lie between and nobody else reads the branch."""
    by_name = {node.name: node for node in network}
    node = by_name[tensor]
    while True:
        if len(network.consumers(node.name)) != 1:
            return None
        if isinstance(node, Conv2d | Linear | AveragePool):
            return node
        if not isinstance(node, BatchNorm):
            return None
        node = by_name[node.source]


def _main_branches(network: FloatNetwork) -> dict[str, str]:
    """For each addition, the operand whose layer absorbs it; the first operand is preferred (`out += shortcut`)."""
    branches = {}
    for node in network:
        if isinstance(node, Add) and node.source != node.other:
            for operand in (node.source, node.other):
                if _producer_of_branch(network, operand) is not None:
                    branches[node.name] = operand
                    break
    return branches


def _follow(network: FloatNetwork, start: FloatNode, branches: dict[str, str]) -> Stage:
    """The longest stage that starts at `start`."""
    nodes = [start]
    norms = [start] if isinstance(start, BatchNorm) else []
    shortcut = start.other if isinstance(start, Add) else None
    relu = isinstance(start, Relu)
    while not relu:
        readers = network.consumers(nodes[-1].name)
        if len(readers) != 1:
            break
        reader = readers[0]
        if isinstance(reader, BatchNorm) and shortcut is None:
            norms.append(reader)
        elif isinstance(reader, Add) and shortcut is None and branches.get(reader.name) == nodes[-1].name:
            shortcut = reader.other if reader.source == nodes[-1].name else reader.source
        elif isinstance(reader, Relu):
            relu = True
        else:
            break
        nodes.append(reader)
    core = start if isinstance(start, Conv2d | Linear | AveragePool) else None
    return Stage(tuple(nodes), core, sources(start)[0], tuple(norms), shortcut, relu)


def fuse(network: FloatNetwork) -> tuple[Stage, ...]:
    """The stages of a float network (its input left out), in an order in which each reads only earlier outputs."""
    branches = _main_branches(network)
    position = {node.name: index for index, node in enumerate(network)}
    taken: set[str] = {network.input.name}
    stages = []
    for node in network:
        if node.name in taken:
            continue
        if isinstance(node, MaxPool | Flatten | Argmax):
            stage = Stage((node,), None, node.source)
        else:
            stage = _follow(network, node, branches)
        taken.update(member.name for member in stage.nodes)
        stages.append(stage)
    # A stage runs when its last node does: by then the shortcut, which may be computed after the core, is there.
    return tuple(sorted(stages, key=lambda stage: position[stage.output]))
