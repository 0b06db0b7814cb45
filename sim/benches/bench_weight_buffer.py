"""Bench of weight_buffer: weights w[out][in] are stored as words in the layout that the lane array reads."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb

from sim.benches.bench_ram import RamModel, image_words, traffic
from sim.benches.codes import pack
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"IN_LANES": 5, "OUT_LANES": 1, "CODE_BITS": 4, "DEPTH": 4, "ADDRESS_BITS": 2, "INIT_FILE": "image.hex"},
    {"IN_LANES": 2, "OUT_LANES": 3, "CODE_BITS": 5, "DEPTH": 3, "ADDRESS_BITS": 2},
)
MUTATION_FILES = {"image.hex": "a3c17\n0ffff\n12345\nc0ffe\n"}


@cocotb.test()
async def every_word_reads_back(dut: Any) -> None:
    """Reads equal the model's under random traffic, with the image's words there from the start."""
    lanes, lane_bits = parameter(dut, "OUT_LANES"), parameter(dut, "IN_LANES") * parameter(dut, "CODE_BITS")
    stimulus = traffic(random.Random(1), parameter(dut, "DEPTH"), lanes * lane_bits, lanes, 300)
    await run_lockstep(dut, RamModel(lanes, lane_bits, image_words(dut)), stimulus)


@cocotb.test()
async def loaded_weights_come_out_in_lane_order(dut: Any) -> None:
    """A whole buffer is loaded lane by lane, then read as a layer would be, word after word, without a gap."""
    in_lanes, out_lanes, code_bits = (parameter(dut, name) for name in ("IN_LANES", "OUT_LANES", "CODE_BITS"))
    rng = random.Random(2)
    lane_bits = in_lanes * code_bits
    # By word and output lane, the codes of the input lanes, lane 0 first.
    words = [
        [pack([rng.getrandbits(code_bits) for _ in range(in_lanes)], code_bits) for _ in range(out_lanes)]
        for _ in range(parameter(dut, "DEPTH"))
    ]

    def load_then_read() -> Iterator[dict[str, int]]:
        for address, word in enumerate(words):
            for lane, weights in enumerate(word):
                noise = [rng.getrandbits(lane_bits) for _ in range(out_lanes)]
                data = pack([*noise[:lane], weights, *noise[lane + 1 :]], lane_bits)
                yield {"write_enable": 1 << lane, "write_address": address, "write_data": data, "read_enable": 0}
        for address in range(len(words)):
            yield {"write_enable": 0, "write_address": 0, "write_data": 0, "read_enable": 1, "read_address": address}
        yield {"write_enable": 0, "write_address": 0, "write_data": 0, "read_enable": 0, "read_address": 0}

    await run_lockstep(dut, RamModel(out_lanes, lane_bits, {}), load_then_read())
