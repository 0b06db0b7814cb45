"""The three ways a command can fail, shared by every package so that the command line maps each to one exit code."""

from __future__ import annotations


class BadInputError(ValueError):
    """Something the caller handed in breaks a rule; the message reads `<thing> must be <rule>, not <value>`."""


class MissingToolError(RuntimeError):
    """A program or package that the work needs is not installed; the message carries the command that installs it."""


class MismatchError(RuntimeError):
    """Two executors of the same integer network disagree; the message names the first differing element."""
