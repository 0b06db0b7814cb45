"""From a torch model to the float network of `quant`, through torch.fx; what cannot be converted is named in one go."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, fx, nn
from torch.nn import functional as F

from hwadder.layers import Adder2d, AdderLinear
from quant import float_network as fn
from quant.errors import BadInputError

Pair = tuple[int, int]
Shape = tuple[int, ...]

_HINTS = {
    "softmax": "leave it out: it does not change which class is largest",
    "log_softmax": "leave it out: it does not change which class is largest",
    "batch_norm": "use the module torch.nn.BatchNorm2d",
    "conv2d": "use the module torch.nn.Conv2d",
    "linear": "use the module torch.nn.Linear",
    "mul": "only batch norm may scale, and it folds into the layer before it",
    "cat": "only residual addition joins two branches",
    "convtranspose2d": "upsample outside the network, or use a convolution",
    "conv1d": "use torch.nn.Conv2d with a kernel of height 1",
    "squeeze": "use flatten(1)",
}
_GENERAL_HINT = (
    "use Adder2d, AdderLinear, Conv2d, Linear, BatchNorm, ReLU, max, average or global pooling, flatten and addition"
)


class _NotConvertibleError(Exception):
    """Why one fx node has no counterpart, with a hint."""


def to_float_network(
    model: nn.Module, input_shape: tuple[int, int, int], mean: ArrayLike, std: ArrayLike, name: str
) -> fn.FloatNetwork:
    """The model in evaluation mode as plain data, for images (C, H, W) normalised by `mean` and `std` (C,).

    Nodes are named by their module's dotted path, operations by the path of the module that calls them. Raises
    BadInputError naming every module and operation that has no counterpart, where it stands, and what to use instead.
    """
    was_training = model.training
    model.eval()
    try:
        return _Bridge(model, input_shape).converted(np.asarray(mean, np.float64), np.asarray(std, np.float64), name)
    finally:
        model.train(was_training)


class _LeafTracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in (Adder2d, AdderLinear) or super().is_leaf_module(m, module_qualified_name)


class _ShapeInterpreter(fx.Interpreter):
    """Runs the graph and keeps each tensor's shape, the batch included."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.shapes: dict[str, Shape] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n.name] = tuple(result.shape)
        return result


_BATCH = 2
"""Images in the run that finds the shapes; two, so that a reshape across the batch shows."""


class _Bridge:
    """One model's fx graph on its way to a float network."""

    def __init__(self, model: nn.Module, input_shape: tuple[int, int, int]) -> None:
        self.model, self.input_shape = model, input_shape
        self.nodes: list[fn.FloatNode] = []
        self.names: dict[str, str] = {}  # fx node -> the float node that holds its value
        self.taken: set[str] = set()
        kind = type(model).__name__
        try:
            self.graph = _LeafTracer().trace(model)
        except Exception as error:
            # Tracing runs the user's forward with proxies, which may raise anything.
            raise BadInputError(
                f"forward of {kind} must be the same for every input so that torch.fx can trace it, "
                f"not raise {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            ) from error
        parameter = next(model.parameters(), torch.zeros(0))
        images = torch.zeros(_BATCH, *input_shape, dtype=parameter.dtype, device=parameter.device)
        interpreter = _ShapeInterpreter(model, self.graph)
        interpreter.extra_traceback = False
        try:
            with torch.no_grad():
                interpreter.run(images)
        except Exception as error:
            raise BadInputError(
                f"{kind} must run on images of shape {input_shape}, not raise {type(error).__name__}: "
                f"{str(error).splitlines()[0] if str(error) else ''}"
            ) from error
        self.shapes = interpreter.shapes

    def converted(self, mean: Any, std: Any, name: str) -> fn.FloatNetwork:
        """The network; raises BadInputError listing everything that could not be converted."""
        problems = []
        for node in self._needed():
            try:
                self._convert(node, mean, std)
            except _NotConvertibleError as reason:
                problems.append(f"{self._place(node)}: {reason}")
                self.names[node.name] = node.name
        if problems:
            raise BadInputError(
                f"{type(self.model).__name__} must be made of layers that convert, not of " + "; ".join(problems)
            )
        return fn.FloatNetwork(name, tuple(self.nodes))

    def _needed(self) -> list[fx.Node]:
        """The nodes whose tensor the output depends on, in order, the output itself left out."""
        output = next(node for node in self.graph.nodes if node.op == "output")
        if not isinstance(output.args[0], fx.Node):
            raise BadInputError(f"output of {type(self.model).__name__} must be one tensor, not {output.args[0]}")
        needed, waiting = set(), [output.args[0]]
        while waiting:
            node = waiting.pop()
            if node.name in self.shapes and node not in needed:
                needed.add(node)
                waiting.extend(node.all_input_nodes)
        return [node for node in self.graph.nodes if node in needed]

    def _convert(self, node: fx.Node, mean: Any, std: Any) -> None:
        if node.op == "placeholder":
            if self.nodes:
                raise _NotConvertibleError("a network has one input")
            self._add(node, "input", lambda name: fn.Input(name, self.input_shape, mean, std))
        elif node.op == "call_module":
            self._convert_module(node, self.model.get_submodule(str(node.target)))
        elif node.op in ("call_function", "call_method"):
            self._convert_operation(node)
        else:
            raise _NotConvertibleError("a tensor used as it is, which only a layer may hold")

    # Modules ---------------------------------------------------------------------------------------------------------

    def _convert_module(self, node: fx.Node, module: nn.Module) -> None:
        path = str(node.target)
        if type(module) in (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout):
            self.names[node.name] = self._source(node)
        elif type(module) is Adder2d or type(module) is nn.Conv2d:
            self._convolution(node, path, module)
        elif type(module) is AdderLinear or type(module) is nn.Linear:
            self._linear(node, path, module)
        elif type(module) in (nn.BatchNorm1d, nn.BatchNorm2d):
            self._batch_norm(node, path, module)
        elif type(module) is nn.ReLU:
            self._relu(node, path, module.inplace)
        elif type(module) is nn.MaxPool2d:
            m = module
            self._max_pool(node, path, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)
        elif type(module) is nn.AvgPool2d:
            a = module
            self._average_pool(
                node, path, a.kernel_size, a.stride, a.padding, a.ceil_mode, a.count_include_pad, a.divisor_override
            )
        elif type(module) is nn.AdaptiveAvgPool2d:
            self._adaptive_pool(node, path, module.output_size)
        elif type(module) is nn.Flatten:
            self._reshape(node, path)
        else:
            raise _NotConvertibleError(_HINTS.get(type(module).__name__.lower(), _GENERAL_HINT))

    def _convolution(self, node: fx.Node, path: str, module: Adder2d | nn.Conv2d) -> None:
        self._require_maps(node)
        if isinstance(module, nn.Conv2d):
            _require(not isinstance(module.padding, str), f"padding {module.padding!r}; give it as numbers")
            _require(module.padding_mode == "zeros", f"padding_mode {module.padding_mode!r}; only 'zeros' is supported")
        _require(module.dilation == (1, 1), f"dilation {module.dilation}; only 1 is supported")
        stride, padding = _pair(module.stride), _pair(module.padding)
        self._add(
            node,
            path,
            lambda name: fn.Conv2d(name, self._source(node), *_kernel(module), stride, padding, module.groups),
        )

    def _linear(self, node: fx.Node, path: str, module: AdderLinear | nn.Linear) -> None:
        _require(len(self._shape(node)) == 1, f"input of shape {self._shape(node)}; flatten it to a vector first")
        self._add(node, path, lambda name: fn.Linear(name, self._source(node), *_kernel(module)))

    def _batch_norm(self, node: fx.Node, path: str, module: Any) -> None:
        _require(len(self._shape(node)) in (1, 3), f"input of shape {self._shape(node)}; use it on maps or vectors")
        mean, variance = module.running_mean, module.running_var
        _require(mean is not None, "no running statistics; build it with track_running_stats=True")
        gamma = torch.ones_like(mean) if module.weight is None else module.weight
        beta = torch.zeros_like(mean) if module.bias is None else module.bias
        arrays = (_array(gamma), _array(beta), _array(mean), _array(variance))
        self._add(node, path, lambda name: fn.BatchNorm(name, self._source(node), *arrays, float(module.eps)))

    # Operations: the parameters carry torch's names, so that positional and keyword arguments both bind ---------------

    def _convert_operation(self, node: fx.Node) -> None:
        operation = _operation_name(node)
        path = f"{self._owner(node)}{operation}"
        handlers: dict[str, Callable[..., None]] = {
            "add": self._addition,
            "relu": self._relu,
            "max_pool2d": self._max_pool,
            "avg_pool2d": self._average_pool,
            "adaptive_avg_pool2d": self._adaptive_pool,
            "mean": self._mean,
            "argmax": self._argmax,
            "dropout": self._dropout,
            "dropout2d": self._dropout,
        }
        if operation in ("flatten", "view", "reshape", "contiguous"):
            self._reshape(node, path)
        elif operation in handlers:
            keywords = {key: value for key, value in node.kwargs.items() if key != "input"}
            arguments = node.args[0 if "input" in node.kwargs else 1 :]
            try:
                bound = inspect.signature(handlers[operation]).bind(node, path, *arguments, **keywords)
            except TypeError as error:
                raise _NotConvertibleError(f"{error}; leave it out") from error
            handlers[operation](*bound.args, **bound.kwargs)
        else:
            raise _NotConvertibleError(_HINTS.get(operation, _GENERAL_HINT))

    def _addition(self, node: fx.Node, path: str, other: Any = None, alpha: float = 1) -> None:
        first_argument = node.kwargs.get("input", node.args[0] if node.args else None)
        both = isinstance(first_argument, fx.Node) and isinstance(other, fx.Node)
        _require(both, "only two tensors may be added")
        _require(alpha == 1, f"alpha {alpha}; only 1 is supported")
        self._require_own_source(node, node.target is operator.iadd)
        first, second = self._shape(node), self._shape(node, 1)
        _require(first == second, f"tensors of shapes {first} and {second}; only equal shapes may be added")
        self._add(node, path, lambda name: fn.Add(name, self._source(node), self._source(node, 1)))

    def _relu(self, node: fx.Node, path: str, inplace: bool = False) -> None:
        self._require_own_source(node, inplace)
        self._add(node, path, lambda name: fn.Relu(name, self._source(node)))

    def _dropout(self, node: fx.Node, _path: str, *positional: Any, **keywords: Any) -> None:
        training = keywords.get("training", positional[1] if len(positional) > 1 else True)
        _require(not training, "it drops values in evaluation too; pass training=self.training")
        self.names[node.name] = self._source(node)

    def _max_pool(
        self,
        node: fx.Node,
        path: str,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> None:
        _require(_pair(dilation) == (1, 1), f"dilation {dilation}; only 1 is supported")
        _require(not ceil_mode, "ceil_mode=True; pad the input instead")
        _require(not return_indices, "return_indices=True; only the values are computed")
        kernel = _pair(kernel_size)
        windows = (kernel, _pair(stride or kernel), _pair(padding))
        self._add(node, path, lambda name: fn.MaxPool(name, self._source(node), *windows))

    def _average_pool(
        self,
        node: fx.Node,
        path: str,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        _require(not ceil_mode, "ceil_mode=True; pad the input instead")
        _require(
            count_include_pad or _pair(padding) == (0, 0), "count_include_pad=False with padding; count the padding"
        )
        _require(divisor_override is None, f"divisor_override={divisor_override}; divide by the window's size")
        kernel = _pair(kernel_size)
        windows = (kernel, _pair(stride or kernel), _pair(padding))
        self._add(node, path, lambda name: fn.AveragePool(name, self._source(node), *windows))

    def _adaptive_pool(self, node: fx.Node, path: str, output_size: Any) -> None:
        self._require_maps(node)
        size = self._shape(node)[-2:]
        sizes = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
        wanted = [n if each is None else each for n, each in zip(size, sizes, strict=True)]
        _require(
            all(n % each == 0 for n, each in zip(size, wanted, strict=True)),
            f"output size {tuple(wanted)} on a map of {tuple(size)}; only sizes that divide the map are supported",
        )
        kernel = (size[0] // wanted[0], size[1] // wanted[1])
        self._add(node, path, lambda name: fn.AveragePool(name, self._source(node), kernel, kernel))

    def _mean(self, node: fx.Node, path: str, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> None:
        axes = {axis % 4 for axis in ((dim,) if isinstance(dim, int) else dim or ())}
        shape = self._shape(node)
        _require(
            len(shape) == 3 and axes == {2, 3} and dtype is None, f"dim {dim}; only the mean over (2, 3) is supported"
        )
        kernel = (shape[1], shape[2])
        self._add(node, path, lambda name: fn.AveragePool(name, self._source(node), kernel, kernel))
        if not keepdim:
            pooled = self.names[node.name]
            self._add(node, f"{path}.flatten", lambda name: fn.Flatten(name, pooled))

    def _argmax(self, node: fx.Node, path: str, dim: int | None = None, keepdim: bool = False) -> None:
        _require(
            len(self._shape(node)) == 1 and dim in (1, -1) and not keepdim, "only argmax(1) of logits is supported"
        )
        self._add(node, path, lambda name: fn.Argmax(name, self._source(node)))

    def _reshape(self, node: fx.Node, path: str) -> None:
        """Whatever it is called, by the shapes that it takes and gives."""
        before, after = self._shape(node), self.shapes[node.name]
        if after == (_BATCH, *before):
            self.names[node.name] = self._source(node)
        elif after == (_BATCH, int(np.prod(before))):
            self._add(node, path, lambda name: fn.Flatten(name, self._source(node)))
        else:
            whole = (_BATCH, *before)
            raise _NotConvertibleError(f"from shape {whole} to {after} at batch {_BATCH}; only flatten(1) is supported")

    # Names and places ------------------------------------------------------------------------------------------------

    def _add(self, node: fx.Node, path: str, build: Callable[[str], fn.FloatNode]) -> None:
        """Append the node that `build` makes under a name not taken yet."""
        name, repeat = path, 0
        while name in self.taken:
            repeat += 1
            name = f"{path}_{repeat}"
        self.nodes.append(build(name))
        self.taken.add(name)
        self.names[node.name] = name

    def _argument(self, node: fx.Node, index: int) -> fx.Node:
        return node.all_input_nodes[index] if len(node.all_input_nodes) > index else node.all_input_nodes[0]

    def _source(self, node: fx.Node, index: int = 0) -> str:
        return self.names[self._argument(node, index).name]

    def _shape(self, node: fx.Node, index: int = 0) -> Shape:
        """Shape of an input without the batch."""
        return self.shapes[self._argument(node, index).name][1:]

    def _require_maps(self, node: fx.Node) -> None:
        shape = self._shape(node)
        _require(len(shape) == 3, f"input of shape {shape}; it needs maps (C, H, W)")

    def _require_own_source(self, node: fx.Node, inplace: bool) -> None:
        """An operation that overwrites its input may not have others read that input."""
        inplace = inplace or (node.op == "call_method" and str(node.target).endswith("_"))
        shared = len(self._argument(node, 0).users) > 1
        _require(not (inplace and shared), "overwrites a tensor that is used elsewhere too; use the form not in place")

    def _owner(self, node: fx.Node) -> str:
        """Dotted path of the module that calls an operation, with a trailing dot; empty for the model itself."""
        stack = list(node.meta.get("nn_module_stack", {}))
        return f"{stack[-1]}." if stack else ""

    def _place(self, node: fx.Node) -> str:
        if node.op == "call_module":
            kind = type(self.model.get_submodule(str(node.target))).__name__
            return f"{node.target} ({kind}, fx node {node.name})"
        what = _operation_name(node) if node.op.startswith("call") else str(node.target)
        return f"{self._owner(node).rstrip('.') or 'forward'} ({what}, fx node {node.name})"


def _operation_name(node: fx.Node) -> str:
    """`relu` for torch.relu, F.relu, Tensor.relu and their in-place forms."""
    boolean_dispatches = {F.max_pool2d: "max_pool2d"}  # torch calls this function `fn`
    if node.target in boolean_dispatches:
        return boolean_dispatches[node.target]
    if node.target in (operator.add, operator.iadd):
        return "add"
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    return name.rstrip("_")


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise _NotConvertibleError(reason)


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _array(tensor: Tensor) -> fn.FloatArray:
    return tensor.detach().cpu().double().numpy().copy()


def _kernel(
    module: Adder2d | AdderLinear | nn.Conv2d | nn.Linear,
) -> tuple[fn.Kind, fn.FloatArray, fn.FloatArray | None]:
    """What the layer sums, its weights and its bias."""
    if isinstance(module, Adder2d | AdderLinear):
        return fn.Kind.ADDER, _array(module.adder), _optional(module.b)
    return fn.Kind.DOT, _array(module.weight), _optional(module.bias)


def _optional(tensor: Tensor | None) -> fn.FloatArray | None:
    return None if tensor is None else _array(tensor)
