"""The system's Chromium without a window: what the pages' tests and docs/draw_page.py look through."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from quant.errors import MissingToolError


def chromium_path() -> str:
    """Where Chromium is; MissingToolError names the command that installs it."""
    path = shutil.which("chromium")
    if path is None:
        raise MissingToolError(
            "chromium must be installed, not missing; "
            "run as root: apt-get update && apt-get install -y --no-install-recommends chromium"
        )
    return path


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser, closed at the end; its sandbox is off, since it refuses to start as root with it."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        yield browser
        browser.close()
