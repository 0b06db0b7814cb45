"""Words of operands on the ports of a mapped element, or of the lane array, with the sums that it must compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.integer_network import IntArray
from rtl.elements import ACC_BITS, Element, element_bits
from rtl.gate_netlist import GateNetlist
from rtl.operand_words import OperandWords
from sim.gate_activity import GateActivity, bit_streams


@dataclass(frozen=True, slots=True, eq=False)
class Play:
    """What a netlist did, and the taps of the counted clocks; of `SUM_OF_X`, the taps that share it."""

    activity: GateActivity
    taps: int


def play_element(netlist: GateNetlist, element: Element, words: OperandWords, code_bits: int) -> Play:
    """All output lanes that have a channel, one after the other, on one element; `SUM_OF_X` sees the words once.

    A multiplier takes the same bits for its weight, as two's complement.

    Raises MismatchError when an accumulator of the netlist does not hold the sums.
    """
    width = element_bits(element, code_bits)
    lanes = [0] if element is Element.SUM_OF_X else np.flatnonzero(words.taps.any(axis=1)).tolist()
    x = np.tile(words.x, (len(lanes), 1))
    w = words.w[lanes].reshape(-1, words.x.shape[1])
    if element.multiplies:
        w = w - (w >> (code_bits - 1) << code_bits)
    first = np.tile(words.first, len(lanes))
    if element is Element.MINIMUM:
        sums = np.minimum(x, w).sum(axis=1)
    elif element is Element.COMPLEMENT:
        sums = np.abs(x - w).sum(axis=1)
    elif element is Element.SUM_OF_X:
        sums = x.sum(axis=1)
    else:
        sums = (x * w).sum(axis=1)
    given = {
        "rst": [0],
        "in_first": bit_streams(first.astype(np.int64), 1),
        "in_x": bit_streams(x, width),
        "acc": bit_streams(_accumulated(sums, first, 1), ACC_BITS),
    }
    if element is not Element.SUM_OF_X:
        given["in_w"] = bit_streams(w, width)
    counts = _counted(words.begins, 1)
    counted = bit_streams(np.tile(counts, len(lanes)), 1)[0]
    return Play(GateActivity(netlist, given, counted, len(x)), int((words.taps * counts).sum()))


def play_array(netlist: GateNetlist, parameters: Mapping[str, int], words: OperandWords) -> Play:
    """The lane array of an accelerator with these parameters in an adder layer.

    Raises MismatchError when an accumulator of the netlist, or the sum of x, does not hold the sums.
    """
    code_bits, acc_bits, latency = parameters["CODE_BITS"], parameters["ACC_BITS"], 2 + parameters["TREE_STAGES"]
    minimum = bool(parameters["MIN_FORM"])
    x, w = words.x[:, None], words.w.transpose(1, 0, 2)
    sums = (np.minimum(x, w) if minimum else np.abs(x - w)).sum(axis=2)
    sum_x = words.x.sum(axis=1) if minimum else np.zeros(len(words.x), np.int64)
    ones = (1 << len(words.x)) - 1
    idle = {name: [0] for name in ("rst", "in_dot", "in_split", "in_double", "in_subtract")}
    given = {
        **idle,
        "in_valid": [ones],
        "in_bit_select": [0] * code_bits,
        "in_first": bit_streams(words.first.astype(np.int64), 1),
        "in_x": bit_streams(words.x, code_bits),
        "in_w": bit_streams(w.reshape(len(w), -1), code_bits),
        "acc": bit_streams(_accumulated(sums, words.first, latency), acc_bits),
        "sum_x": bit_streams(_accumulated(sum_x, words.first, latency), acc_bits),
    }
    counts = _counted(words.begins, latency)
    activity = GateActivity(netlist, given, bit_streams(counts, 1)[0], len(words.x))
    return Play(activity, int((words.taps * counts).sum()))


def _accumulated(sums: IntArray, first: NDArray[np.bool_], latency: int) -> IntArray:
    """What an accumulator holds beside each word (words, ...), `latency` clocks behind the operands."""
    total = np.cumsum(sums, axis=0)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    result = np.zeros_like(total)
    result[latency:] = (total - (total - sums)[starts])[:-latency]
    return result


def _counted(begins: NDArray[np.bool_], latency: int) -> IntArray:
    """1 for the clocks that count: all but a window's first ones, which change from another window's words."""
    jumps = np.flatnonzero(begins)
    skipped = (jumps[:, None] + np.arange(latency + 1)).reshape(-1)
    counts = np.ones(len(begins), np.int64)
    counts[skipped[skipped < len(begins)]] = 0
    return counts
