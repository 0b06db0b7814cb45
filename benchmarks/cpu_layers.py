"""Adder layers on a CPU beside the convolutions and the linear layer they stand for.

    python benchmarks/cpu_layers.py [--threads 1]

Writes benchmarks/results/cpu_layers.json and .md; takes a few minutes. Layers are the 3x3 layers of ResNet-20 at batch
128 and the first linear layer of a small vision transformer's feed-forward block, 8 images of 197 vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from side_by_side import ALL_PROCESSORS, Timing, machine, timings, use_threads

from hwadder import cpu_kernels, textbook
from hwadder.adder_ops import adder2d
from hwadder.layers import AdderLinear
from hwadder.window import Window
from quant.native_library import CAPABILITY_VARIABLE, Capability

RESULTS = Path(__file__).resolve().parent / "results"
BATCH = 128
LAYERS = ((16, 32), (32, 16), (64, 8))
"""(channels, height and width) of ResNet-20's stages."""
VECTORS, IN_FEATURES, OUT_FEATURES = 8 * 197, 192, 768
PADDED = Window(padding=(1, 1))


@dataclass(frozen=True, slots=True)
class Result:
    """One layer computed in one direction with so many threads."""

    layer: str
    direction: str
    threads: int
    baseline: str
    timings: list[Timing]


def adder(x: Tensor, weight: Tensor, exact: bool = False) -> Tensor:
    """A padded 3x3 layer of one group; its backward rescales the weight's gradient, as that of `Adder2d` does."""
    y: Tensor = adder2d(x, weight, (1, 1), (1, 1), (1, 1), 1, exact, eta=0.2)
    return y


def with_variant(name: str, compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The same with another variant of the kernels; which one is asked for at every call."""

    def computed() -> Tensor:
        os.environ[CAPABILITY_VARIABLE] = name
        try:
            return compute()
        finally:
            del os.environ[CAPABILITY_VARIABLE]

    return computed


def variants() -> list[str]:
    """The variants of the kernels that this CPU runs, the best first."""
    best = cpu_kernels.kernel_capability()
    assert best is not None, "the kernels must be built to be measured"
    return [each.name.lower() for each in reversed(Capability) if each <= best]


def unfolded_cdist(x: Tensor, weight: Tensor) -> Tensor:
    """The way without kernels of our own that torch offers: distances of all patches to all filters."""
    rows = F.unfold(x, 3, padding=1).transpose(1, 2).flatten(0, 1)
    return torch.cdist(rows, weight.flatten(1), p=1)


def naive(x: Tensor, weight: Tensor) -> Tensor:
    """The definition on all patches at once, one filter after the other: no tensor of all filters and patches."""
    columns = F.unfold(x, 3, padding=1)
    sums = [-(columns - taps[:, None]).abs().sum(1) for taps in weight.flatten(1)]
    return torch.stack(sums, 1).reshape(len(x), len(weight), *x.shape[2:])


def forward_forms(x: Tensor, weight: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Ways to compute one layer."""
    last, weight_last = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
    forms: dict[str, Callable[[], Tensor]] = {
        "conv2d, channels_last": lambda: F.conv2d(last, weight_last, padding=1),
        "conv2d, NCHW": lambda: F.conv2d(x, weight, padding=1),
    }
    for name in variants():
        forms[f"adder, channels_last, {name}"] = with_variant(name, lambda: adder(last, weight_last))
    return forms | {
        "adder, NCHW": lambda: adder(x, weight),
        "adder, channels_last, exact": lambda: adder(last, weight_last, exact=True),
        "textbook, NCHW": lambda: textbook.adder2d_forward(x, weight, PADDED),
        "unfold and cdist(p=1)": lambda: unfolded_cdist(x, weight),
        "naive: unfold, a filter at a time": lambda: naive(x, weight),
    }


def both_forms(x: Tensor, weight: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Ways to compute one layer and both its gradients."""
    last, weight_last = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
    grad = torch.randn_like(x)
    grad_last = grad.contiguous(memory_format=torch.channels_last)

    def trained(layer: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
        x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
        torch.autograd.backward(layer(x, weight), grad)
        assert x.grad is not None
        return x.grad

    def convolution(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight, padding=1)

    def by_the_book() -> Tensor:
        textbook.adder2d_forward(x, weight, PADDED)
        textbook.adder2d_weight_gradient(grad, x, weight, PADDED)
        return textbook.adder2d_input_gradient(grad, x, weight, PADDED)

    forms: dict[str, Callable[[], Tensor]] = {
        "conv2d, channels_last": lambda: trained(convolution, last, weight_last, grad_last),
        "conv2d, NCHW": lambda: trained(convolution, x, weight, grad),
    }
    for name in variants():
        forms[f"adder, channels_last, {name}"] = with_variant(
            name, lambda: trained(adder, last, weight_last, grad_last)
        )
    return forms | {"adder, NCHW": lambda: trained(adder, x, weight, grad), "textbook, NCHW": by_the_book}


def linear_forms(backward: bool) -> dict[str, Callable[[], Tensor]]:
    """Ways to compute the linear layer, with both gradients where asked."""
    x, grad = torch.randn(VECTORS, IN_FEATURES), torch.randn(VECTORS, OUT_FEATURES)
    linear, adder_linear = (
        torch.nn.Linear(IN_FEATURES, OUT_FEATURES, bias=False),
        AdderLinear(IN_FEATURES, OUT_FEATURES),
    )

    def computed(layer: torch.nn.Module) -> Tensor:
        layer.requires_grad_(backward)
        y: Tensor = layer(x.detach().requires_grad_(backward))
        if backward:
            torch.autograd.backward(y, grad)
        return y

    forms: dict[str, Callable[[], Tensor]] = {"linear": lambda: computed(linear)}
    for name in variants():
        forms[f"adder, {name}"] = with_variant(name, lambda: computed(adder_linear))
    return forms


def measured(threads: int, rounds: int) -> list[Result]:
    """All layers in both directions."""
    use_threads(threads)
    results = []
    for channels, size in LAYERS:
        torch.manual_seed(channels)
        # After ReLU and batch norm.
        x, weight = torch.randn(BATCH, channels, size, size).relu(), torch.randn(channels, channels, 3, 3)
        name = f"{channels} to {channels} channels, 3x3, {size}x{size}, batch {BATCH}"
        for direction, forms in (("forward", forward_forms), ("forward and backward", both_forms)):
            baseline = "conv2d, channels_last"
            results.append(Result(name, direction, threads, baseline, timings(forms(x, weight), baseline, rounds)))
            print(name, direction, threads, "threads measured", file=sys.stderr)
    for direction, backward in (("forward", False), ("forward and backward", True)):
        name = f"{VECTORS} vectors, {IN_FEATURES} to {OUT_FEATURES}"
        results.append(Result(name, direction, threads, "linear", timings(linear_forms(backward), "linear", rounds)))
    return results


def as_markdown(results: list[Result]) -> str:
    """The tables."""
    lines = ["# Adder layers on a CPU", "", f"`python benchmarks/cpu_layers.py` on {machine()}.", ""]
    lines += ["Times are medians; ratios are medians of the ratio in each round, the forms taken in turn.", ""]
    for result in results:
        plural = "" if result.threads == 1 else "s"
        lines += [f"## {result.layer}: {result.direction}, {result.threads} thread{plural}", ""]
        lines += [f"| form | ms | over {result.baseline} |", "|---|---:|---:|"]
        lines += [f"| {each.form} | {each.ms:.2f} | {each.ratio:.2f} |" for each in result.timings]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="times that every form is measured")
    everything = sorted({1, len(ALL_PROCESSORS)})
    parser.add_argument("--threads", type=int, nargs="+", default=everything, help="numbers of threads, 1 and all")
    arguments = parser.parse_args()
    results = [result for threads in arguments.threads for result in measured(threads, arguments.rounds)]
    content = {"machine": machine(), "results": [asdict(result) for result in results]}
    (RESULTS / "cpu_layers.json").write_text(json.dumps(content, indent=2) + "\n")
    (RESULTS / "cpu_layers.md").write_text(as_markdown(results))
    print(as_markdown(results))


if __name__ == "__main__":
    main()
