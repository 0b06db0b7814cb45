"""What all tests share: the folder of published files, and hypothesis without chance or clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run, and no judgement by time: a red test is red on every machine.
settings.register_profile("hwadder", derandomize=True, deadline=None, database=None)
settings.load_profile("hwadder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first: started last, one of them would keep a worker busy while the others wait."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


PUBLISHED_FILES = ("ResNet20-AdderNet.pth", "cifar10-subset.npz")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of the published checkpoint and images: without the variable such tests are left out, with it every file
    must be there."""
    contents = " and ".join(PUBLISHED_FILES)
    value = os.environ.get("HWADDER_DATA")
    if not value:
        pytest.skip(f"HWADDER_DATA names no folder that holds {contents}: see CONTRIBUTING.md")
    folder = Path(value).resolve()
    missing = [name for name in PUBLISHED_FILES if not (folder / name).is_file()]
    if missing:
        pytest.fail(f"folder HWADDER_DATA={value} must hold {contents}, not miss {' and '.join(missing)}")
    return folder
