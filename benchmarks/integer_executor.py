"""The integer executor beside torch: single layers of ResNet-20, and the whole network.

    OMP_WAIT_POLICY=passive python benchmarks/integer_executor.py --data FOLDER

A layer is an 8-bit adder layer, uint8 codes to uint8 codes with its affine step, beside torch's convolutions of that
shape (float in both memory layouts, 8 bits on the x86 engine, uint8 to uint8) and the golden model. The step alone is
what the same map takes as a pass of its own; in the layer it is part of the loop. The whole network is the official
ResNet-20 at 8 bits, from uint8 images to classes, beside the same network with convolutions in float, from normalised
images to logits, in evaluation mode with its batch norms and with these folded into the convolutions. FOLDER holds the
published checkpoint and a CIFAR-10 subset; its default is $HWADDER_DATA, and without one the network is a random one of
the same shape, which takes the same time.

On one thread, pinned to a CPU, the time is that of the thread; on all, the clock on the wall. Rounds visit all
contenders, back and forth, and a ratio is the median of the rounds' ratios. The passive waiting keeps torch's threads,
which have a pool of their own, from spinning while the executor's run.

Writes integer_executor.json and integer_executor.md into the folder of `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from simulators import machine
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hwadder.bridge import to_float_network
from hwadder.data import load_dataset
from hwadder.models import build_model
from hwadder.verbs import quantize
from quant import golden
from quant.executor import Executor
from quant.float_network import Kind
from quant.integer_network import Affine, Conv2d, Grid, Input, IntegerNetwork, SumPool
from quant.native_network import compile_native
from quant.quantizer import QuantizerOptions
from quant.quantizer import quantize as quantize_network

IMAGES = 128
GOLDEN_IMAGES = 8
"""The golden model takes seconds; its time grows with the images and is scaled."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to time: `call` works on `images` images."""

    name: str
    call: Callable[[], object]
    images: int = IMAGES


@dataclass(frozen=True, slots=True)
class Measured:
    """A contender's median time for all images, and the executor's time as a share of it."""

    case: str
    threads: int
    contender: str
    milliseconds: float
    executor_share: float


def measure(case: str, contenders: list[Contender], rounds: int, threads: int) -> list[Measured]:
    """Time the contenders in interleaved rounds; the first is the executor."""
    clock: Clock = time.thread_time if threads == 1 else time.perf_counter
    times: dict[str, list[float]] = {each.name: [] for each in contenders}
    for turn in range(rounds + 1):
        # Back and forth, so that nobody always follows the one that leaves the caches coldest.
        for each in contenders if turn % 2 else reversed(contenders):
            start = clock()
            each.call()
            if turn:  # the first fills caches and pools
                times[each.name].append((clock() - start) * IMAGES / each.images)
    own = times[contenders[0].name]
    return [
        Measured(
            case,
            threads,
            name,
            1e3 * statistics.median(mine),
            statistics.median(a / b for a, b in zip(own, mine, strict=True)),
        )
        for name, mine in times.items()
    ]


# Single layers --------------------------------------------------------------------------------------------------------


def one_node(channels: int, size: int, *, layer: bool) -> IntegerNetwork:
    """An image of codes, and an adder layer 3x3 on it or an affine step alone."""
    rng = np.random.default_rng(0)
    grid = Grid(8, 1.0)
    table = np.tile(np.arange(256), (channels, 1))
    affine = Affine(rng.integers(100, 512, channels), rng.integers(0, 2**24, channels), 16, 255)
    weight = rng.integers(0, 256, (channels, channels, 3, 3))
    return IntegerNetwork(
        "one node",
        (
            Input("image", (channels, size, size), grid, table),
            Conv2d("node", "image", Kind.ADDER, weight, 8, affine, grid, (1, 1), (1, 1))
            if layer
            else SumPool("node", "image", (1, 1), (1, 1), grid, affine=affine),
        ),
    )


def native_call(network: IntegerNetwork, codes: NDArray[np.int64], threads: int) -> Callable[[], None]:
    """A run of the kernels on codes that lie ready, as they do inside a network."""
    native = compile_native(network)
    if native is None:
        raise SystemExit("compiled kernels must be installed, not missing: install hwadder where g++ is")
    batches = {name: native.allocate(name, len(codes)) for name in ("image", "node")}
    native.values("image", batches["image"])[...] = codes.transpose(0, 2, 3, 1)
    return lambda: native.run(batches, len(codes), threads)


def channels_last(model: nn.Module) -> nn.Module:
    """The model with its weights in torch's NHWC layout."""
    result: nn.Module = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return result


def int8_convolution(x: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Torch's 8-bit convolution of `x` (N, C, H, W), uint8 to uint8."""
    channels = x.shape[1]
    codes = torch.quantize_per_tensor(x.contiguous(memory_format=torch.channels_last), 0.02, 128, torch.quint8)
    weight = torch.quantize_per_channel(
        torch.randn(channels, channels, 3, 3),
        torch.full((channels,), 0.02),
        torch.zeros(channels, dtype=torch.int64),
        0,
        torch.qint8,
    )
    packed = torch.ops.quantized.conv2d_prepack(weight, None, [1, 1], [1, 1], [1, 1], 1)
    return lambda: torch.ops.quantized.conv2d(codes, packed, 0.1, 128)


def layer_contenders(channels: int, size: int, threads: int) -> list[Contender]:
    """Everything that computes a 3x3 layer of `channels` on maps of `size` x `size`."""
    layer, step = (one_node(channels, size, layer=layer) for layer in (True, False))
    codes = np.random.default_rng(1).integers(0, 256, (IMAGES, channels, size, size))
    node = layer["node"]
    x = torch.randn(IMAGES, channels, size, size)
    last = x.contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    conv_last = channels_last(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
    few = {"image": codes[:GOLDEN_IMAGES]}
    return [
        Contender("executor, adder layer", native_call(layer, codes, threads)),
        Contender("executor, affine step alone", native_call(step, codes, threads)),
        Contender("conv2d fp32, channels_last", lambda: conv_last(last)),
        Contender("conv2d fp32, NCHW", lambda: conv(x)),
        Contender("quantized conv2d, int8", int8_convolution(x)),
        Contender("golden model", lambda: golden.compute(layer, node, few), GOLDEN_IMAGES),
    ]


# The whole network ----------------------------------------------------------------------------------------------------


def official_network(data: Path) -> IntegerNetwork:
    """The published ResNet-20 at 8 bits."""
    dataset = load_dataset(str(data / "cifar10-subset.npz"))
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = data / "ResNet20-AdderNet.pth"
        return quantize(checkpoint, "resnet20", dataset, Path(folder) / "resnet20.hwn").network


def random_network() -> IntegerNetwork:
    """A ResNet-20 of random weights, its batch norms measured on the random images that also calibrate it."""
    images = np.random.default_rng(0).integers(0, 256, (16, 3, 32, 32), np.uint8)
    model = build_model("resnet20")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches
    with torch.no_grad():
        model.train()(torch.from_numpy(images) / 255)
    network = to_float_network(model, (3, 32, 32), np.zeros(3), np.ones(3), "resnet20")
    return quantize_network(network, images, QuantizerOptions(candidates=5)).network


def folded(model: nn.Module) -> nn.Module:
    """The model with every batch norm folded into the convolution before it."""
    traced = torch.fx.symbolic_trace(model)
    modules = dict(traced.named_modules())
    for node in traced.graph.nodes:
        before = node.args[0] if node.op == "call_module" else None
        norm = modules.get(str(node.target))
        if isinstance(norm, nn.BatchNorm2d) and isinstance(before, torch.fx.Node):
            conv = modules[str(before.target)]
            assert isinstance(conv, nn.Conv2d)
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.recompile()
    return traced


def network_contenders(network: IntegerNetwork, threads: int) -> list[Contender]:
    """Everything that runs a ResNet-20."""
    images = np.random.default_rng(2).integers(0, 256, (IMAGES, 3, 32, 32), np.uint8)
    executor = Executor(network, threads)
    x = torch.randn(IMAGES, 3, 32, 32)
    last = x.contiguous(memory_format=torch.channels_last)
    plain = build_model("resnet20-cnn").eval()
    fused = folded(build_model("resnet20-cnn").eval())
    plain_last = channels_last(build_model("resnet20-cnn").eval())
    fused_last = channels_last(folded(build_model("resnet20-cnn").eval()))
    return [
        Contender("executor, 8-bit adder network", lambda: list(executor.classify(images))),
        Contender("CNN fp32, channels_last", lambda: plain_last(last)),
        Contender("CNN fp32, channels_last, folded", lambda: fused_last(last)),
        Contender("CNN fp32, NCHW", lambda: plain(x)),
        Contender("CNN fp32, NCHW, folded", lambda: fused(x)),
        Contender("golden model", lambda: list(golden.classify(network, images[:GOLDEN_IMAGES])), GOLDEN_IMAGES),
    ]


# ----------------------------------------------------------------------------------------------------------------------


def measure_all(network: IntegerNetwork, rounds: int, threads: int) -> list[Measured]:
    """All cases on so many threads."""
    torch.set_num_threads(threads)
    results = []
    with torch.inference_mode():
        for channels, size in ((16, 32), (32, 16), (64, 8)):
            case = f"{channels} channels, {size} x {size}"
            results += measure(case, layer_contenders(channels, size, threads), rounds, threads)
        results += measure("ResNet-20", network_contenders(network, threads), rounds, threads)
    return results


def table(results: list[Measured], conditions: dict[str, str]) -> str:
    """The results as a page."""
    rows = [
        f"| {each.case} | {each.threads} | {each.contender} | {each.milliseconds:,.2f} | {each.executor_share:.3f} |"
        for each in results
    ]
    return "\n".join(
        [
            "# The integer executor",
            "",
            f"Automatically generated by `python benchmarks/integer_executor.py`: {IMAGES} images, medians of "
            "interleaved rounds.",
            "",
            "| | threads | | ms | executor's time over this one's |",
            "|---|---:|---|---:|---:|",
            *rows,
            "",
            *(f"- {name}: {value}" for name, value in conditions.items()),
            "",
        ]
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("HWADDER_DATA", ""), help="folder of the published files")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="all, after a single one")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "torch.quantize_per_tensor")  # deprecated, and still the way to these kernels
    network = official_network(Path(options.data).resolve()) if options.data else random_network()
    conditions = {
        "machine": machine(),
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "torch": f"{torch.__version__}, {torch.backends.quantized.engine}",
        "network": "official ResNet-20" if options.data else "random ResNet-20",
        "rounds": str(options.rounds),
    }
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    results = measure_all(network, options.rounds, 1)
    os.sched_setaffinity(0, cpus)
    if options.threads > 1:
        results += measure_all(network, options.rounds, options.threads)
    page = table(results, conditions)
    print(page)
    content = {**conditions, "results": [asdict(each) for each in results]}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "integer_executor.json").write_text(json.dumps(content, indent=1) + "\n")
    (options.out / "integer_executor.md").write_text(page)


if __name__ == "__main__":
    main()
