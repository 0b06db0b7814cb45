"""What every command does with its result and its failures: JSON or a table, progress on stderr, an exit code."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import ParamSpec

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from quant.errors import BadInputError, MismatchError, MissingToolError

P = ParamSpec("P")

_PIPE_COLUMNS = 120
"""Width of tables that go to a file or a pipe: wide enough that no figure is cut."""


def emit(content: dict[str, object] | None, shown: RenderableType) -> None:
    """Print the result: one JSON object where one was asked for, or else what a person reads."""
    if content is not None:
        click.echo(json.dumps(content))
    elif isinstance(shown, str):
        click.echo(shown)
    else:
        # Names and paths may hold brackets, which rich would take for its markup.
        Console(markup=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(shown)


def _progress(*columns: SpinnerColumn | TextColumn | BarColumn | MofNCompleteColumn) -> Progress:
    console = Console(stderr=True)
    # In a log a bar would leave an empty line.
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal)


@contextlib.contextmanager
def bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; the caller reports (done, total)."""
    with _progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextlib.contextmanager
def spinner(description: str) -> Iterator[Callable[[str], None]]:
    """A line on stderr that names the step at work."""
    with _progress(SpinnerColumn(), TextColumn("{task.description}", markup=False)) as progress:
        task = progress.add_task(description, total=None)
        yield lambda step: progress.update(task, description=f"{description}: {step}")


def exit_codes(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the three kinds of failure into one sentence and their exit code."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except MismatchError as error:
            _fail(str(error), 1)
        except BadInputError as error:
            _fail(str(error), 2)
        except MissingToolError as error:
            _fail(str(error), 3)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read stdout has seen enough; click ends in silence
            what = "output" if error.filename is None else f"file {error.filename}"
            _fail(f"{what} must be readable and writable, not refused by the system ({error.strerror or error})", 2)

    return guarded


def _fail(message: str, code: int) -> None:
    click.echo(f"hwadder: {message}", err=True)
    sys.exit(code)


def as_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose cells fold rather than lose a figure."""
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table
