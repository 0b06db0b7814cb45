from __future__ import annotations

from pathlib import Path

import pytest

from quant.errors import BadInputError
from rtl.library import library_sources
from sim.runner import BenchRun, run_bench


def run(folder: Path, **parameters: int | str) -> None:
    run_bench(
        BenchRun(
            top="ram",
            bench_module="sim.benches.bench_ram",
            sources=library_sources(),
            build_folder=folder,
            parameters=parameters,
        )
    )


@pytest.mark.parametrize(("width", "depth", "address_bits"), [(1, 1, 1), (8, 16, 4), (3, 5, 3), (128, 3, 7)], ids=str)
def test_words_read_back(tmp_path: Path, width: int, depth: int, address_bits: int) -> None:
    run(tmp_path, WIDTH=width, DEPTH=depth, ADDRESS_BITS=address_bits)


def test_image_is_there_from_the_start(tmp_path: Path) -> None:
    image = tmp_path / "image.hex"
    image.write_text("0f3\n111\n000\nfff\nabc\n", encoding="ascii")
    run(tmp_path / "build", WIDTH=12, DEPTH=5, ADDRESS_BITS=3, INIT_FILE=str(image))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"WIDTH": 0}, "WIDTH_must_be_at_least_1"),
        ({"DEPTH": 0}, "DEPTH_must_be_at_least_1"),
        ({"DEPTH": 17, "ADDRESS_BITS": 4}, "ADDRESS_BITS_must_be_at_least_1_and_address_DEPTH_words"),
        ({"DEPTH": 1, "ADDRESS_BITS": 0}, "ADDRESS_BITS_must_be_at_least_1_and_address_DEPTH_words"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run(tmp_path, **parameters)
