"""ResNet-20 with adder layers on a CPU beside the same network with convolutions: training step, inference, memory.

    python benchmarks/cpu_networks.py

Writes benchmarks/results/cpu_networks.json and .md; takes a few minutes of one processor.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from side_by_side import Timing, machine, timings, use_threads

from hwadder.models import build_model

RESULTS = Path(__file__).resolve().parent / "results"
FORMATS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}
BASELINE = "convolutions, channels_last"
MEMORY_BATCH = 256


@dataclass(frozen=True, slots=True)
class Result:
    """One kind of work at one batch size, on one thread."""

    work: str
    batch: int
    timings: list[Timing]


@dataclass(frozen=True, slots=True)
class Memory:
    """Most memory that a process held during three training steps, in MB, and how much of that the steps brought."""

    network: str
    peak_mb: float
    steps_mb: float


def resnet20(kind: str, memory_format: torch.memory_format) -> nn.Module:
    """Of `adders`, or its twin of `convolutions`."""
    model = build_model({"adders": "resnet20", "convolutions": "resnet20-cnn"}[kind])
    # Torch's own type of `to` leaves this form out.
    model.to(memory_format=memory_format)  # type: ignore[call-overload]
    return model


def images(batch: int, memory_format: torch.memory_format) -> Tensor:
    """Random ones of the size of CIFAR-10."""
    return torch.randn(batch, 3, 32, 32).contiguous(memory_format=memory_format)


def training_step(kind: str, layout: str, batch: int) -> Callable[[], object]:
    """One step of SGD with momentum on a batch."""
    model, x = resnet20(kind, FORMATS[layout]).train(), images(batch, FORMATS[layout])
    labels = torch.randint(10, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(model(x), labels))
        optimizer.step()

    return step


def inference(kind: str, layout: str, batch: int) -> Callable[[], object]:
    """The logits of a batch."""
    model, x = resnet20(kind, FORMATS[layout]).eval(), images(batch, FORMATS[layout])

    @torch.inference_mode()
    def step() -> Tensor:
        y: Tensor = model(x)
        return y

    return step


def peak_memory(kind: str) -> Memory:
    """In a process of its own, since a peak never sinks."""
    command = [sys.executable, __file__, "--memory", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, steps = map(float, done.stdout.split())
    return Memory(kind, peak, steps)


def print_peak_memory(kind: str) -> None:
    """What `peak_memory` reads, in the process it starts."""
    use_threads(1)
    training_step(kind, "channels_last", 2)()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = training_step(kind, "channels_last", MEMORY_BATCH)
    for _ in range(3):
        step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / 1024, (peak - before) / 1024)


def as_markdown(results: list[Result], memory: list[Memory]) -> str:
    """The tables."""
    lines = ["# ResNet-20 on a CPU", "", f"`python benchmarks/cpu_networks.py` on {machine()}, one thread.", ""]
    lines += ["Times are medians; ratios are medians of the ratio in each round, the forms taken in turn.", ""]
    for result in results:
        lines += [
            f"## {result.work}, batch {result.batch}",
            "",
            f"| network | ms | over {BASELINE} |",
            "|---|---:|---:|",
        ]
        lines += [f"| {each.form} | {each.ms:.1f} | {each.ratio:.2f} |" for each in result.timings]
        lines.append("")
    lines += [f"## Memory of training steps, batch {MEMORY_BATCH}, channels_last", ""]
    lines += ["| network | peak of the process, MB | of that by the steps, MB |", "|---|---:|---:|"]
    lines += [f"| {each.network} | {each.peak_mb:.0f} | {each.steps_mb:.0f} |" for each in memory]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="times that every form is measured")
    parser.add_argument("--memory", choices=["adders", "convolutions"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        print_peak_memory(arguments.memory)
        return
    use_threads(1)
    memory = [peak_memory(kind) for kind in ("adders", "convolutions")]
    results = []
    for work, build, batch in (
        ("training step", training_step, 64),
        ("training step", training_step, 256),
        ("inference", inference, 256),
    ):
        forms = {
            f"{kind}, {layout}": build(kind, layout, batch) for kind in ("adders", "convolutions") for layout in FORMATS
        }
        results.append(Result(work, batch, timings(forms, BASELINE, arguments.rounds)))
        print(work, batch, "measured", file=sys.stderr)
    content = {
        "machine": machine(),
        "results": [asdict(result) for result in results],
        "memory": [asdict(each) for each in memory],
    }
    (RESULTS / "cpu_networks.json").write_text(json.dumps(content, indent=2) + "\n")
    (RESULTS / "cpu_networks.md").write_text(as_markdown(results, memory))
    print(as_markdown(results, memory))


if __name__ == "__main__":
    main()
