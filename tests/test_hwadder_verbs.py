"""The verbs as functions: what the command line does not reach."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from networks import quantized, random_images, small_lenet, small_resnet

from hwadder import verbs
from hwadder.data import Dataset, load_dataset
from quant import network_file
from quant.errors import BadInputError
from quant.golden import encode, logits, trace


def dataset_of(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], labels: list[int]) -> Dataset:
    channels = images.shape[1]
    y = np.array(labels, dtype=np.int64)
    return Dataset("made", images, y, images, y, np.zeros(channels), np.ones(channels))


def test_calibration_images_are_spread_over_a_sorted_split() -> None:
    mnist = load_dataset("mnist")
    images = verbs.calibration_images(mnist)
    assert images.shape == (96, 1, 28, 28)
    order = {image.tobytes(): label for image, label in zip(mnist.x_train, mnist.y_train.tolist(), strict=True)}
    _, counts = np.unique([order[image.tobytes()] for image in images], return_counts=True)
    assert len(counts) == 10
    assert counts.min() >= 8
    assert len(verbs.calibration_images(dataset_of(images[:7], [0] * 7))) == 7


def test_integer_accuracy_is_the_golden_models() -> None:
    network = quantized(small_lenet())
    images = random_images(network.input.shape, 70, seed=5)
    classes = trace(network, encode(network, images))[network.nodes[-1].name].tolist()
    labels = [*classes[:60], *((index + 1) % 4 for index in classes[60:])]
    seen: list[tuple[int, int]] = []
    result = verbs.evaluate_network(network, dataset_of(images, labels), lambda *done: seen.append(done))
    assert (result.kind, result.correct, result.images, result.accuracy) == ("integer", 60, 70, 60 / 70)
    assert seen[-1] == (70, 70)


@pytest.mark.parametrize("classes", [5, 6])
def test_top_5_is_counted_of_six_classes_or_more(classes: int) -> None:
    network = quantized(small_lenet(classes=classes))
    images = random_images(network.input.shape, 20, seed=5)
    order = np.argsort(-np.concatenate(list(logits(network, images))), axis=1, kind="stable")
    fifth = verbs.evaluate_network(network, dataset_of(images, order[:, 4].tolist()))
    last = verbs.evaluate_network(network, dataset_of(images, order[:, -1].tolist()))
    expected = (20, 0) if classes == 6 else (None, None)
    assert (fifth.correct, fifth.top5_correct, last.top5_correct) == (0, *expected)


def test_a_network_file_is_known_by_its_suffix_or_its_header(tmp_path: Path) -> None:
    network_file.save(quantized(small_lenet()), tmp_path / "named.hwn")
    (tmp_path / "other.bin").write_bytes((tmp_path / "named.hwn").read_bytes())
    with zipfile.ZipFile(tmp_path / "checkpoint.pt", "w") as archive:
        archive.writestr("data.pkl", b"")
    (tmp_path / "broken.hwn").write_text("no zip")
    (tmp_path / "legacy.pth").write_text("no zip")
    found = {path.name: verbs.is_network_file(path) for path in tmp_path.iterdir()}
    assert found == {
        "named.hwn": True,
        "other.bin": True,
        "broken.hwn": True,
        "checkpoint.pt": False,
        "legacy.pth": False,
    }


def test_energy_of_a_model_without_data() -> None:
    assert verbs.energy("lenet5").workload.adder_taps == 416_520
    assert verbs.energy("resnet32").workload.adder_taps > 60_000_000


def test_energy_of_a_network_file(tmp_path: Path) -> None:
    network_file.save(quantized(small_resnet()), tmp_path / "small.hwn")
    assert verbs.energy(str(tmp_path / "small.hwn")).workload.is_integer


def test_images_must_fit_the_model() -> None:
    images = random_images((3, 32, 32), 2)
    with pytest.raises(BadInputError) as caught:
        verbs.float_network("lenet5", dataset_of(images, [0, 1]))
    assert str(caught.value) == "images of made must be of shape (1, 28, 28) for lenet5, not (3, 32, 32)"


def test_test_images_are_counted() -> None:
    data = dataset_of(random_images((1, 4, 4), 3), [0, 1, 2])
    assert len(verbs.first_test_images(data, 3)) == 3
    for count in (-1, 0, 4):
        with pytest.raises(BadInputError) as caught:
            verbs.first_test_images(data, count)
        assert str(caught.value) == f"images must be 1 to 3, the test images of made, not {count}"
