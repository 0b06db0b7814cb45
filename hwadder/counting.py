"""Operations of any torch model, counted from shapes alone: every tensor operation that one image runs, none computed.

The model runs once on meta tensors, which have shapes and no data. Each operation that reaches torch's dispatcher is
looked up in a table of rules; one without a rule is an error that names it and its module, so no cost is left out
unnoticed. Conventions are those of `energy.counts`: taps are what the papers charge, the rest is listed beside them.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import hwadder.layers
from energy.counts import LayerCount, Operation, OperationCount, Role, Workload
from quant.errors import BadInputError
from quant.float_network import Kind


@dataclass(frozen=True, slots=True)
class UnknownOperation:
    """An operation that no rule counts: its name, the path of the module that called it, and how often."""

    operation: str
    module: str
    times: int


@dataclass(frozen=True, slots=True)
class TorchCount:
    """Counts of one inference of one image, and what could not be counted."""

    workload: Workload
    unknown: tuple[UnknownOperation, ...]


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one call of an operation takes."""

    adder_taps: int = 0
    dot_taps: int = 0
    others: tuple[OperationCount, ...] = ()


_Rule = Callable[[Sequence[Any], Tensor], _Cost]


def _others(purpose: str, role: Role = Role.SUM, **counts: int) -> tuple[OperationCount, ...]:
    """Counts by the name of an `Operation`, zeros left out."""
    return tuple(
        OperationCount(Operation[name.upper()], role, count, purpose) for name, count in counts.items() if count
    )


def _each(purpose: str, role: Role = Role.SUM, **counts: int) -> _Rule:
    """So many operations for each element of the result."""
    return lambda _args, out: _Cost(
        others=_others(purpose, role, **{name: count * out.numel() for name, count in counts.items()})
    )


def _bias(bias: Tensor | None, out: Tensor) -> tuple[OperationCount, ...]:
    return () if bias is None else _others("bias", add=out.numel())


def _convolution(args: Sequence[Any], out: Tensor) -> _Cost:
    x, weight, bias = args[:3]
    is_transposed = args[6]
    # Every input is multiplied with its filters' taps, or every output sums over its filter's.
    taps = (x if is_transposed else out).numel() * math.prod(weight.shape[1:])
    return _Cost(dot_taps=taps, others=_bias(bias, out))


def _matrix_product(args: Sequence[Any], out: Tensor) -> _Cost:
    return _Cost(dot_taps=out.numel() * args[0].shape[-1])


def _biased_matrix_product(args: Sequence[Any], out: Tensor) -> _Cost:
    return _Cost(dot_taps=out.numel() * args[1].shape[-1], others=_bias(args[0], out))


def _adder(args: Sequence[Any], out: Tensor) -> _Cost:
    return _Cost(adder_taps=out.numel() * math.prod(args[1].shape[1:]))


def _distance(args: Sequence[Any], out: Tensor) -> _Cost | None:
    p = args[2]
    return _Cost(adder_taps=out.numel() * args[0].shape[-1]) if p == 1 else None


def _division(args: Sequence[Any], out: Tensor) -> _Cost:
    if isinstance(args[1], Tensor) and args[1].numel() > 1:
        return _Cost(others=_others("division", special=args[1].numel(), multiply=out.numel()))
    return _Cost(others=_others("division by a constant", multiply=out.numel()))


def _clamp(args: Sequence[Any], out: Tensor) -> _Cost:
    bounds = sum(bound is not None for bound in args[1:3])
    return _Cost(others=_others("clamp", compare=bounds * out.numel()))


def _power(args: Sequence[Any], out: Tensor) -> _Cost:
    if isinstance(args[1], int | float) and args[1] == 2:
        return _Cost(others=_others("square", multiply=out.numel()))
    return _Cost(others=_others("power", special=out.numel()))


def _softmax(args: Sequence[Any], out: Tensor) -> _Cost:
    """Largest of a row, differences to it, their exponentials, the sum, and a product with its reciprocal."""
    n, rows = out.numel(), out.numel() // out.shape[args[1]]
    return _Cost(
        others=_others("softmax", compare=n - rows, subtract=n, add=n - rows, multiply=n, special=n + rows),
    )


def _statistics(purpose: str, rows: int, n: int, *, has_weight: bool, has_bias: bool) -> _Cost:
    """Mean, centred values, their mean square, a product with its inverse root, and the affine step."""
    return _Cost(
        others=_others(
            purpose,
            add=2 * (n - rows) + rows + (n if has_bias else 0),
            subtract=n,
            multiply=2 * n + 2 * rows + (n if has_weight else 0),
            special=rows,
        )
    )


def _layer_norm(args: Sequence[Any], out: Tensor) -> _Cost:
    rows = out.numel() // math.prod(args[1])
    return _statistics("layer norm", rows, out.numel(), has_weight=args[2] is not None, has_bias=args[3] is not None)


def _group_norm(args: Sequence[Any], out: Tensor) -> _Cost:
    images, groups = args[3], args[6]
    has_weight, has_bias = args[1] is not None, args[2] is not None
    return _statistics("group norm", images * groups, out.numel(), has_weight=has_weight, has_bias=has_bias)


def _max_pool(args: Sequence[Any], out: Tensor) -> _Cost:
    window = math.prod(args[1]) if len(args[1]) == 2 else args[1][0] ** 2
    return _Cost(others=_others("max pooling", Role.OPERAND, compare=out.numel() * (window - 1)))


def _average_pool(args: Sequence[Any], out: Tensor) -> _Cost:
    window = math.prod(args[1]) if len(args[1]) == 2 else args[1][0] ** 2
    return _mean(out.numel() * window, out)


def _reduced_mean(args: Sequence[Any], out: Tensor) -> _Cost:
    return _mean(args[0].numel(), out)


def _adaptive_average_pool(args: Sequence[Any], out: Tensor) -> _Cost | None:
    if any(size % wanted for size, wanted in zip(args[0].shape[-2:], out.shape[-2:], strict=True)):
        return None  # windows of several sizes
    return _mean(args[0].numel(), out)


def _mean(terms: int, out: Tensor) -> _Cost:
    others = _others("average pooling", add=terms - out.numel())
    return _Cost(
        others=others + _others("average pooling's division by a constant", multiply=out.numel()),
    )


def _reduction(purpose: str, operation: str) -> _Rule:
    return lambda args, out: _Cost(others=_others(purpose, **{operation: args[0].numel() - out.numel()}))


def _stored_batch_norm(_args: Sequence[Any], out: Tensor) -> _Cost:
    return _Cost(
        others=_others("batch norm scale", multiply=out.numel()) + _others("batch norm shift", add=out.numel())
    )


def _batch_norm(args: Sequence[Any], out: Tensor) -> _Cost:
    """A norm that keeps no statistics takes those of each image's channels, in evaluation too."""
    weight, bias, is_of_batch = args[1], args[2], args[5]
    if not is_of_batch:
        return _stored_batch_norm(args, out)
    rows = out.shape[0] * out.shape[1]
    has_weight, has_bias = weight is not None, bias is not None
    return _statistics("norm by the image", rows, out.numel(), has_weight=has_weight, has_bias=has_bias)


# Operations by the dispatcher's name. Training never runs here, so dropout is absent.
_RULES: dict[str, Callable[[Sequence[Any], Tensor], _Cost | None]] = {
    "aten.convolution": _convolution,
    "aten.mm": _matrix_product,
    "aten.bmm": _matrix_product,
    "aten.addmm": _biased_matrix_product,
    "aten.baddbmm": _biased_matrix_product,
    "aten._cdist_forward": _distance,
    "hwadder.adder2d": _adder,
    "aten.native_batch_norm": _batch_norm,
    "aten._native_batch_norm_legit_no_training": _stored_batch_norm,
    "aten.native_layer_norm": _layer_norm,
    "aten.native_group_norm": _group_norm,
    "aten._softmax": _softmax,
    "aten._safe_softmax": _softmax,
    "aten.relu": _each("ReLU", compare=1),
    "aten.hardtanh": _each("clamp", compare=2),
    "aten.clamp": _clamp,
    "aten.clamp_min": _clamp,
    "aten.leaky_relu": _each("leaky ReLU", compare=1, multiply=1),
    "aten._prelu_kernel": _each("leaky ReLU", compare=1, multiply=1),
    "aten.maximum": _each("maximum", compare=1),
    "aten.minimum": _each("minimum", compare=1),
    "aten.gelu": _each("GELU, x/2 * (1 + erf(x/sqrt(2)))", multiply=3, add=1, special=1),
    "aten.sigmoid": _each("sigmoid, 1 / (1 + exp(-x))", add=1, special=2),
    "aten.silu": _each("SiLU, x / (1 + exp(-x))", add=1, multiply=1, special=2),
    "aten.tanh": _each("tanh", special=1),
    "aten.exp": _each("exponential", special=1),
    "aten.sqrt": _each("square root", special=1),
    "aten.rsqrt": _each("inverse square root", special=1),
    "aten.reciprocal": _each("reciprocal", special=1),
    "aten.add": _each("elementwise addition", add=1),
    "aten.sub": _each("elementwise subtraction", subtract=1),
    "aten.rsub": _each("elementwise subtraction", subtract=1),
    "aten.neg": _each("change of sign", subtract=1),
    "aten.abs": _each("elementwise absolute value", absolute=1),
    "aten.mul": _each("elementwise multiplication", multiply=1),
    "aten.div": _division,
    "aten.sign": _each("sign", compare=1),
    "aten.pow": _power,
    "aten.max_pool2d_with_indices": _max_pool,
    "aten.avg_pool2d": _average_pool,
    "aten._adaptive_avg_pool2d": _adaptive_average_pool,
    "aten.mean": _reduced_mean,
    "aten.sum": _reduction("sum", "add"),
    "aten.amax": _reduction("maximum", "compare"),
    "aten.argmax": _reduction("argmax", "compare"),
}

# What only moves, renames or makes data.
_MOVES = {
    "aten._reshape_alias",
    "aten._to_copy",
    "aten._unsafe_view",
    "aten.alias",
    "aten.arange",
    "aten.as_strided",
    "aten.cat",
    "aten.clone",
    "aten.constant_pad_nd",
    "aten.copy",
    "aten.detach",
    "aten.empty",
    "aten.empty_like",
    "aten.expand",
    "aten.flip",
    "aten.full",
    "aten.index",
    "aten.index_select",
    "aten.lift_fresh",
    "aten.native_dropout",
    "aten.new_empty",
    "aten.ones",
    "aten.permute",
    "aten.pixel_shuffle",
    "aten.pixel_unshuffle",
    "aten.repeat",
    "aten.roll",
    "aten.select",
    "aten.slice",
    "aten.split",
    "aten.split_with_sizes",
    "aten.squeeze",
    "aten.stack",
    "aten.t",
    "aten.transpose",
    "aten.unbind",
    "aten.unsqueeze",
    "aten.upsample_nearest2d",
    "aten.view",
    "aten.zeros",
}


@dataclass(slots=True)
class _Record:
    """What one layer, or one operation of a module's own forward, takes in all its calls.

    `inputs` are elements of what it reads beside its parameters.
    """

    name: str
    node: str
    parameters: int = 0
    inputs: int = 0
    output_shape: tuple[int, ...] = ()
    adder_taps: int = 0
    dot_taps: int = 0
    others: Counter[tuple[Operation, Role, str]] = field(default_factory=Counter)

    def add(self, cost: _Cost) -> None:
        self.adder_taps += cost.adder_taps
        self.dot_taps += cost.dot_taps
        for each in cost.others:
            self.others[each.operation, each.role, each.purpose] += each.count

    def layer(self) -> LayerCount:
        return LayerCount(
            name=self.name,
            node=self.node,
            output_shape=self.output_shape,
            kind=Kind.ADDER if self.adder_taps else Kind.DOT if self.dot_taps else None,
            adder_taps=self.adder_taps,
            dot_taps=self.dot_taps,
            parameters=self.parameters,
            others=tuple(
                OperationCount(operation, role, count, purpose)
                for (operation, role, purpose), count in self.others.items()
            ),
            inputs=self.inputs,
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """Parameters that a tensor holds, and whether it holds nothing else; the tensor itself lives as long as its id."""

    tensor: Tensor
    parameters: frozenset[nn.Parameter]
    alone: bool


class _CountingMode(TorchDispatchMode):  # type: ignore[no-untyped-call] # of torch's __init_subclass__
    """Sees every operation below autograd and books it on the module that is running.

    A parameter is booked where an operation first takes it, whichever module owns it: torch's attention reads those of
    its output projection without calling it. What moves a parameter on its way there, as a transposition, is followed.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.running: list[tuple[str, nn.Module]] = []
        self.records: dict[str, _Record] = {}
        self.unknown: Counter[tuple[str, str]] = Counter()
        self._held = {id(each): _Held(each, frozenset((each,)), alone=True) for each in parameters}
        self._booked: set[nn.Parameter] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        # One rule for all overloads of an operation, those that work in place included.
        name = str(func.overloadpacket).rstrip("_")
        if name in _MOVES:
            self._follow(args, result)
            return result
        out = result[0] if isinstance(result, tuple | list) else result
        rule = _RULES.get(name)
        cost = None if rule is None else rule(args, out)
        path, module = self.running[-1]
        if cost is None:
            self.unknown[name, path] += 1
        else:
            record = self._book(path, module, name, cost)
            record.output_shape = _without_batch(out)
            record.parameters += self._first_taken(args)
            if not _is_layer(module):
                record.inputs += sum(each.numel() for each in _tensors(args) if not self._is_parameter(each))
        return result

    def _follow(self, args: Sequence[Any], result: Any) -> None:
        tensors = list(_tensors(args))
        held = frozenset(each for tensor in tensors for each in self._parameters(tensor))
        if held:
            alone = all(map(self._is_parameter, tensors))
            self._held |= {id(each): _Held(each, held, alone) for each in _tensors([result])}

    def _parameters(self, tensor: Tensor) -> frozenset[nn.Parameter]:
        found = self._held.get(id(tensor))
        return frozenset() if found is None else found.parameters

    def _is_parameter(self, tensor: Tensor) -> bool:
        found = self._held.get(id(tensor))
        return found is not None and found.alone

    def _first_taken(self, args: Sequence[Any]) -> int:
        taken = {each for tensor in _tensors(args) for each in self._parameters(tensor)} - self._booked
        self._booked |= taken
        return sum(each.numel() for each in taken)

    def enter(self, path: str, module: nn.Module) -> None:
        """A module's forward begins."""
        self.running.append((path, module))

    def leave(self, path: str, module: nn.Module, inputs: Sequence[Any], output: Any) -> None:
        """A module's forward ends with `output`, whose shape may differ from that of its last operation."""
        self.running.pop()
        if _is_layer(module) and path in self.records:
            self.records[path].inputs += sum(each.numel() for each in _tensors(inputs))
            if isinstance(output, Tensor):
                self.records[path].output_shape = _without_batch(output)

    def _book(self, path: str, module: nn.Module, operation: str, cost: _Cost) -> _Record:
        node = type(module).__name__
        key = path
        if not _is_layer(module):
            # What a module's own forward writes out stands apart from the layers it calls: `blocks.0.attn/bmm`.
            node = operation.split(".")[1].strip("_")
            key = f"{path}/{node}"
        if key not in self.records:
            self.records[key] = _Record(key, node)
        record = self.records[key]
        record.add(cost)
        return record


def _without_batch(tensor: Tensor) -> tuple[int, ...]:
    """The shape of one image's tensor; a batched matrix product may have heads where others have the image."""
    return tuple(tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape)


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    """Those among an operation's arguments, or in a list among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)


def _is_layer(module: nn.Module) -> bool:
    """Whether all operations of a module belong to one layer: torch's own leaves and the adder layers."""
    home = type(module).__module__
    return home == hwadder.layers.__name__ or (home.startswith("torch.nn.") and not list(module.children()))


@contextmanager
def _tracked(model: nn.Module, mode: _CountingMode) -> Iterator[None]:
    """While it lasts, `mode` knows which module's forward is under way."""
    handles = []
    for path, module in model.named_modules():
        name = path or type(model).__name__
        handles += [
            module.register_forward_pre_hook(lambda module, _inputs, name=name: mode.enter(name, module)),
            module.register_forward_hook(
                lambda module, inputs, output, name=name: mode.leave(name, module, inputs, output)
            ),
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def count_torch(model: nn.Module, input_shape: Sequence[int], name: str) -> TorchCount:
    """Counts of one inference of `model`, in evaluation mode, on one image of `input_shape` (C, H, W).

    The model itself is left as it was; a copy of it is run on meta tensors. Norms with stored statistics count as one
    multiplication and one addition an element. Raises BadInputError where the model does not run: for another shape,
    where it looks at the values of a tensor, or keeps one that is neither a parameter nor a buffer.
    """
    shadow = copy.deepcopy(model).to("meta").eval()
    mode = _CountingMode(shadow.parameters())
    with torch.no_grad(), _tracked(shadow, mode):
        image = torch.empty(1, *input_shape, device="meta")
        try:
            with mode:
                shadow(image)
        except Exception as error:
            # Whatever a user's forward raises, the sentence must say where.
            place = mode.running[-1][0] if mode.running else name
            reason = str(error).partition("\n")[0]
            raise BadInputError(
                f"model {name} must run on a tensor of shape {(1, *input_shape)} that has no values, "
                f"not raise {type(error).__name__} in {place}: {reason}"
            ) from error
    layers = [_normalisation(tuple(input_shape)), *(record.layer() for record in mode.records.values())]
    unknown = tuple(UnknownOperation(*key, times) for key, times in mode.unknown.items())
    return TorchCount(Workload(name, tuple(layers), is_integer=False), unknown)


def _normalisation(shape: tuple[int, ...]) -> LayerCount:
    pixels = math.prod(shape)
    return LayerCount(
        "input", "Input", shape, others=_others("input normalisation", Role.OPERAND, multiply=pixels, add=pixels)
    )


def require_known(count: TorchCount) -> Workload:
    """The workload; raises BadInputError naming the first operation that no rule counts, and where it stands."""
    if count.unknown:
        first = count.unknown[0]
        more = f" (and {len(count.unknown) - 1} more)" if len(count.unknown) > 1 else ""
        raise BadInputError(
            f"operations of {count.workload.model} must be ones that are counted, "
            f"not {first.operation} in {first.module}{more}; --list-unknown lists them instead"
        )
    return count.workload
