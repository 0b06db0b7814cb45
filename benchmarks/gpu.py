"""Check and time the adder layer's GPU kernels on this machine's GPU: what `make gpu` runs.

    python benchmarks/gpu.py

First every kernel against float64 (codes: exactly) on layers of all geometries; an error above the bound ends the run.
Then forward, and forward with both gradients, of the layers below, each beside cuDNN's convolution in float32 with TF32
off, the forward also beside the naive form (unfold, then one filter at a time). Rounds of all forms alternate, and each
figure is the median of rounds timed with CUDA events. The arithmetic limit of the forward is 64 taps a clock and
multiprocessor (128 float32 instructions, two a tap) at the highest clock that nvidia-smi names.

Writes gpu_layers.json and gpu_layers.md into the folder of `--out`. Needs an NVIDIA GPU and a GPU build of torch, which
brings Triton; exits with 3 where they are missing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

ROOT = Path(__file__).parent.parent
sys.path[:0] = [
    str(ROOT),
    str(ROOT / "tests"),
]  # runs in any environment that has torch, and shares the tests' reference

from adder_reference import adder_reference  # noqa: E402

from quant.errors import MismatchError, MissingToolError  # noqa: E402

if TYPE_CHECKING:
    from types import ModuleType

Pair = tuple[int, int]
TAPS_A_CLOCK = 64
"""Of one multiprocessor of compute capability 8.6, 8.9 or 9.0: 128 float32 lanes, two instructions a tap."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's shapes and geometry."""

    images: int
    channels: int
    height: int
    width: int
    filters: int
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def geometry(self) -> tuple[Pair, Pair, Pair, int]:
        """Arguments that the kernels and torch's convolution take in this order."""
        return self.stride, self.padding, self.dilation, self.groups

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.channels} -> {self.filters}, {self.height} x {self.width}, {self.images} images"

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """`x`, the weight and a gradient of the output."""
        random = torch.Generator("cuda").manual_seed(0)
        options = {"device": "cuda", "generator": random}
        x = torch.randn(self.images, self.channels, self.height, self.width, **options)  # type: ignore[call-overload]
        weight = torch.randn(self.filters, self.channels // self.groups, *self.kernel, **options)  # type: ignore[call-overload]
        return x, weight, torch.randn_like(F.conv2d(x, weight, None, *self.geometry))


CHECKED = (
    Layer(2, 3, 33, 31, 16),
    Layer(3, 16, 17, 19, 16, stride=(2, 2)),
    Layer(2, 64, 9, 11, 128, kernel=(1, 1), stride=(2, 2), padding=(0, 0)),
    Layer(2, 13, 14, 15, 67, kernel=(5, 3), stride=(1, 2), padding=(2, 1), dilation=(1, 2)),
    Layer(2, 32, 15, 15, 32, padding=(2, 2), dilation=(2, 2), groups=32),
    Layer(2, 24, 16, 17, 36, kernel=(3, 2), stride=(3, 2), padding=(1, 0), dilation=(2, 2), groups=4),
    Layer(8, 256, 14, 14, 256),
    Layer(4, 512, 7, 7, 512),
    Layer(64, 512, 1, 1, 10, kernel=(1, 1), padding=(0, 0)),
)
TIMED = (
    Layer(256, 16, 32, 32, 16),
    Layer(256, 32, 16, 16, 32),
    Layer(256, 64, 8, 8, 64),
    Layer(64, 256, 28, 28, 256),
)


@dataclass(frozen=True, slots=True)
class Check:
    """Errors of one layer, relative to the largest value of the float64 reference."""

    layer: str
    dtype: str
    forward: float
    input_gradient: float
    weight_gradient: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Median times of one layer in milliseconds, by form."""

    layer: str
    taps: int
    milliseconds: dict[str, float]
    fraction_of_limit: float


def require_gpu() -> ModuleType:
    """The kernels, where this machine can run them."""
    command = "install a GPU build of torch on a machine with an NVIDIA GPU, then: make gpu"
    if not torch.cuda.is_available():
        raise MissingToolError(f"a GPU that torch can use must be present, not missing; {command}")
    try:
        from hwadder import gpu_kernels
    except ModuleNotFoundError as error:
        raise MissingToolError(f"{error.name} must be installed, not missing; {command}") from error
    return gpu_kernels


def highest_clock_mhz() -> float:
    """The multiprocessors' highest clock, as the driver reports it."""
    query = ["nvidia-smi", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits", "--id=0"]
    try:
        return float(subprocess.run(query, check=True, capture_output=True, text=True).stdout)
    except FileNotFoundError as error:
        raise MissingToolError("nvidia-smi must be installed, not missing; it comes with the GPU's driver") from error


def relative_error(value: Tensor, expected: Tensor) -> float:
    """Largest error, relative to the largest value."""
    return float((value.double() - expected).abs().max() / expected.abs().max())


def check(gpu: ModuleType, layer: Layer, dtype: torch.dtype, memory_format: torch.memory_format) -> Check:
    """Compare one layer with the reference, codes too; MismatchError above the bound."""
    x, weight, grad = (each.to(dtype) for each in layer.tensors())
    x = x.to(memory_format=memory_format)
    expected = adder_reference(x, weight, grad, *layer.geometry)
    runs = [
        (
            gpu.adder2d_forward(x, weight, *layer.geometry, exact=True),
            gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry),
            gpu.adder2d_weight_gradient(grad, x, weight, *layer.geometry),
        )
        for _ in range(2)
    ]
    if not all(torch.equal(first, second) for first, second in zip(*runs, strict=True)):
        raise MismatchError(f"second run of {layer} in {dtype} must give the same bits, not others")
    references = (expected.y, expected.grad_x, expected.grad_weight)
    errors = [relative_error(value, reference) for value, reference in zip(runs[0], references, strict=True)]
    bounds = [torch.finfo(dtype).eps] * 3
    if dtype is torch.float32:
        # Taps of an output, outputs that read a pixel, positions that a weight meets.
        terms = weight[0].numel(), weight[:, 0].numel() // layer.groups, grad[:, 0].numel()
        bounds = [gpu.relative_error_bound(each) for each in terms]
    if not all(error <= bound for error, bound in zip(errors, bounds, strict=True)):
        raise MismatchError(f"errors of {layer} in {dtype} must be at most {bounds}, not {errors}")
    codes_x, codes_weight = (
        torch.randint(0, 256, each.shape, dtype=torch.uint8, device="cuda") for each in (x, weight)
    )
    sums = gpu.adder2d_codes(codes_x, codes_weight, *layer.geometry, 128)
    signed_x, signed_weight = codes_x.double() - 128, codes_weight.double() - 128
    if not torch.equal(sums.double(), adder_reference(signed_x, signed_weight, grad, *layer.geometry).y):
        raise MismatchError(f"sums of codes of {layer} must equal the reference's, not differ")
    return Check(f"{layer}", str(dtype).removeprefix("torch."), *errors)


def naive_forward(x: Tensor, weight: Tensor, layer: Layer) -> Tensor:
    """Unfolded taps, then one filter at a time."""
    taps = F.unfold(x, layer.kernel, layer.dilation, layer.padding, layer.stride)
    sums = [-(taps - row[:, None]).abs().sum(1) for row in weight.flatten(1)]
    return torch.stack(sums, 1)


def forms(gpu: ModuleType, layer: Layer) -> dict[str, Callable[[], object]]:
    """What is timed of one layer, by name."""
    x, weight, grad = layer.tensors()
    codes_x, codes_weight = (
        torch.randint(0, 256, each.shape, dtype=torch.uint8, device="cuda") for each in (x, weight)
    )
    mask = (True, True, False)

    def adder_training() -> None:
        gpu.adder2d_forward(x, weight, *layer.geometry, exact=True)
        gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry)
        gpu.adder2d_weight_gradient(grad, x, weight, *layer.geometry)

    def convolution_training() -> None:
        F.conv2d(x, weight, None, *layer.geometry)
        torch.ops.aten.convolution_backward(
            grad, x, weight, None, *layer.geometry[:3], False, (0, 0), layer.groups, mask
        )

    return {
        "adder forward": lambda: gpu.adder2d_forward(x, weight, *layer.geometry, exact=True),
        "convolution forward": lambda: F.conv2d(x, weight, None, *layer.geometry),
        "naive forward": lambda: naive_forward(x, weight, layer),
        "codes forward": lambda: gpu.adder2d_codes(codes_x, codes_weight, *layer.geometry),
        "adder training": adder_training,
        "convolution training": convolution_training,
    }


def milliseconds(form: Callable[[], object], repeats: int) -> float:
    """Time of one call on the GPU, from so many in a row."""
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    for _ in range(repeats):
        form()
    stop.record()
    stop.synchronize()
    return float(start.elapsed_time(stop)) / repeats


def measure(gpu: ModuleType, layer: Layer, rounds: int, taps_a_second: float) -> Timing:
    """Time all forms of a layer in alternating rounds."""
    timed = forms(gpu, layer)
    # The first call compiles; the second tells how many make a round of about 20 ms.
    for form in timed.values():
        form()
    repeats = {name: max(1, round(20 / milliseconds(form, 1))) for name, form in timed.items()}
    times: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, form in timed.items():
            times[name].append(milliseconds(form, repeats[name]))
    medians = {name: statistics.median(each) for name, each in times.items()}
    _, weight, grad = layer.tensors()
    taps = grad.numel() * weight[0].numel()
    return Timing(layer.name, taps, medians, taps / (medians["adder forward"] * 1e-3) / taps_a_second)


def table(checks: list[Check], timings: list[Timing], conditions: dict[str, str]) -> str:
    """The results as a page."""
    rows = [
        f"| {each.layer} | {t['adder forward']:.3f} | {t['convolution forward']:.3f} "
        f"| **{t['adder forward'] / t['convolution forward']:.2f}** | {t['naive forward'] / t['adder forward']:.1f} "
        f"| {each.fraction_of_limit:.0%} | {t['adder forward'] / t['codes forward']:.2f} "
        f"| {t['adder training']:.3f} | **{t['adder training'] / t['convolution training']:.2f}** |"
        for each in timings
        for t in [each.milliseconds]
    ]
    worst = {
        dtype: [
            max(getattr(each, field) for each in checks if each.dtype == dtype)
            for field in ("forward", "input_gradient", "weight_gradient")
        ]
        for dtype in dict.fromkeys(each.dtype for each in checks)
    }
    return "\n".join(
        [
            "# Adder layers on a GPU",
            "",
            "Automatically generated by `python benchmarks/gpu.py`: medians of alternating rounds, in milliseconds; "
            "convolution is cuDNN's in float32, TF32 off; training is the forward with both gradients.",
            "",
            "| layer | adder forward | convolution forward | ratio | times faster than naive "
            "| of the arithmetic limit | times faster in 8-bit codes | adder training | ratio to convolution |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            f"Largest errors of {len(checks)} layers against float64, relative to the largest value, second runs equal "
            "in every bit, sums of codes exact:",
            "",
            "| type | forward | input's gradient | weight's gradient |",
            "|---|---:|---:|---:|",
            *(f"| {dtype} | {' | '.join(f'{error:.1e}' for error in errors)} |" for dtype, errors in worst.items()),
            "",
            *(f"- {name}: {value}" for name, value in conditions.items()),
            "",
        ]
    )


def run(rounds: int, folder: Path) -> None:
    """Check, measure, print, write."""
    gpu = require_gpu()
    torch.backends.cudnn.allow_tf32 = False
    device = torch.cuda.get_device_properties(0)
    clock_mhz = highest_clock_mhz()
    conditions = {
        "GPU": f"{device.name}, {device.multi_processor_count} multiprocessors, at most {clock_mhz:.0f} MHz",
        "torch": f"{torch.__version__}, CUDA {torch.version.cuda}",
    }
    checks = [
        check(gpu, layer, dtype, memory_format)
        for layer in CHECKED
        for dtype in (torch.float32, torch.float16, torch.bfloat16)
        for memory_format in (torch.contiguous_format, torch.channels_last)
    ]
    limit = device.multi_processor_count * TAPS_A_CLOCK * clock_mhz * 1e6
    timings = [measure(gpu, layer, rounds, limit) for layer in TIMED]
    page = table(checks, timings, conditions)
    print(page)
    content = {
        **conditions,
        "checks": [asdict(each) for each in checks],
        "timings": [asdict(each) for each in timings],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu_layers.json").write_text(json.dumps(content, indent=1) + "\n")
    (folder / "gpu_layers.md").write_text(page)


def main() -> None:
    """Run, or say in a sentence what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    try:
        run(options.rounds, options.out)
    except (MissingToolError, MismatchError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(3 if isinstance(error, MissingToolError) else 1)


if __name__ == "__main__":
    main()
