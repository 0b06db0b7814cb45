"""The published schemas of what the energy commands print."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

import energy


def validator(name: str) -> Draft202012Validator:
    """Of `energy/schema/NAME.schema.json`, which must itself be a schema."""
    schema = json.loads((Path(energy.__file__).parent / "schema" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
