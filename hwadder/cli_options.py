"""Options that several commands share, and those that a command gets put together as one argument."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any

import click

from energy import Precision
from energy.scaling import parse_operating_point
from energy.technology import BUILT_IN
from hwadder import verbs
from hwadder.train_config import settings
from quant.errors import BadInputError
from rtl.architecture import Architecture, Counters, LaneForm, MemoryStyle
from sim.tools import Simulator

PATH = click.Path(path_type=Path)
DATA_HELP = "mnist, a CIFAR python-batches folder, an image folder, or an .npz file"
MODEL_HELP = "lenet5, resnet20, resnet32, vgg-small, ... (-cnn for its CNN twin), or module:function"

data_option = click.option("--data", required=True, help=DATA_HELP)


class ShapeType(click.ParamType[tuple[int, int, int]]):
    """Three positive integers separated by commas."""

    name = "C,H,W"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int, int]:
        """The three integers of the text `value`."""
        parts = str(value).split(",")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"shape must be three positive integers as 3,224,224, not {value}", param, ctx)
        channels, height, width = map(int, parts)
        return channels, height, width


input_shape_option = click.option(
    "--input-shape", type=ShapeType(), help="C,H,W of a module:function that has no input_shape."
)
classes_option = click.option("--classes", default=10, show_default=True, help="Classes of a model by name.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
simulator_option = click.option(
    "--simulator",
    type=click.Choice([each.value for each in Simulator]),
    default="icarus",
    show_default=True,
    help="verilator compiles the design first, then runs hundreds of times as fast.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice([each.value for each in Precision]),
    help="Which rows of the table price the operations.  [default: fp32, of a quantized network its own widths]",
)


def setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """One option for each setting of training; those not given are None."""
    for name, (kind, meaning) in reversed([*settings().items()]):
        flag = f"--{name.replace('_', '-')}"
        if kind is bool:
            command = click.option(f"{flag}/--no-{flag[2:]}", default=None, help=meaning)(command)
        else:
            choice = click.Choice([str(each) for each in kind]) if issubclass(kind, StrEnum) else kind
            command = click.option(flag, type=choice, help=meaning)(command)
    return command


ARCHITECTURE_NAMES = (
    *("in_lanes", "out_lanes", "drain_lanes", "tree_stages", "lane_form", "weight_register", "memory_style"),
    *("counters", "stopped", "reserve"),
)
"""Parameters of `architecture_options`."""


def architecture_options(lanes: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that the command gets as one argument, an `Architecture`; `lanes` is the default of both lane counts."""
    options = (
        click.option("--in-lanes", default=lanes, show_default=True, help="Codes of a window a clock."),
        click.option("--out-lanes", default=lanes, show_default=True, help="Output channels at once."),
        click.option("--drain-lanes", type=int, help="Results a clock.  [default: half the output lanes]"),
        click.option(
            "--tree-stages", default=0, show_default=True, help="Levels of registers among those of the adder trees."
        ),
        click.option(
            "--lane",
            "lane_form",
            type=click.Choice([each.value for each in LaneForm]),
            default="min",
            show_default=True,
            help="How a lane computes |x - w|.",
        ),
        click.option("--weight-register", is_flag=True, help="A register behind the weight memory: for block RAMs."),
        click.option(
            "--memory-style",
            type=click.Choice([each.value for each in MemoryStyle]),
            default="auto",
            show_default=True,
            help="What an FPGA's synthesis makes of every memory: block RAM, or LUTs.",
        ),
        click.option(
            "--counters",
            type=click.Choice([each.value for each in Counters]),
            default="full",
            show_default=True,
            help="What the design counts by layer.",
        ),
        click.option("--stopped", is_flag=True, help="After reset no image is taken up until the host says so."),
        click.option("--reserve", multiple=True, metavar="NAME=N", help="A width or depth that it has at least."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_architecture(
            *args: object,
            lane_form: str,
            memory_style: str,
            weight_register: bool,
            counters: str,
            stopped: bool,
            reserve: tuple[str, ...],
            in_lanes: int,
            out_lanes: int,
            drain_lanes: int | None,
            tree_stages: int,
            **kwargs: object,
        ) -> None:
            architecture = Architecture(
                in_lanes=in_lanes,
                out_lanes=out_lanes,
                drain_lanes=drain_lanes,
                tree_stages=tree_stages,
                lane_form=LaneForm(lane_form),
                memory_style=MemoryStyle(memory_style),
                weight_register=weight_register,
                counters=Counters(counters),
                run_at_reset=not stopped,
                reserve=dict(map(_reserved, reserve)),
            )
            command(*args, architecture=architecture, **kwargs)

        for option in reversed(options):
            with_architecture = option(with_architecture)
        return with_architecture

    return decorate


PRICING_NAMES = ("tables", "node", "voltage")
"""Parameters of `pricing_options`."""


def pricing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that the command gets as one argument, a `verbs.Pricing`."""
    options = (
        click.option(
            "--table",
            "tables",
            multiple=True,
            default=BUILT_IN[:1],
            show_default=True,
            help=f"Technology table: {', '.join(BUILT_IN)} or a csv file; A+B prices by B what A does not; "
            "given several times, totals stand side by side.",
        ),
        click.option("--node", help="Scale the tables to this node, as 7, HP7 or LP7; with --voltage."),
        click.option("--voltage", help="Scale the tables to this supply in volts; with --node."),
    )

    @wraps(command)
    def with_pricing(tables: tuple[str, ...], node: str | None, voltage: str | None, **kwargs: Any) -> None:
        if (node is None) is not (voltage is None):
            raise BadInputError("--node and --voltage must be given together, not one of them alone")
        point = None if node is None or voltage is None else parse_operating_point(node, voltage)
        command(pricing=verbs.Pricing(tables, point), **kwargs)

    for option in reversed(options):
        with_pricing = option(with_pricing)
    return with_pricing


def _reserved(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not value.isdecimal():
        raise BadInputError(f"--reserve must be a parameter's name and a number, NAME=N, not {text}")
    return name, int(value)
