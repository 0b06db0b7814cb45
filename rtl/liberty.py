"""A Liberty cell library: areas (um2), pins (fF), functions, delays (ns) and energies (fJ) of its cells.

Units are the file's own, turned into these: capacitances by `capacitive_load_unit`; delays by `time_unit`; internal
energies by capacitance unit times voltage unit squared, which is what the tables of `internal_power` are in; leakage by
`leakage_power_unit`.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quant.errors import BadInputError
from quant.files import require_file
from rtl.boolean_expression import BooleanExpression, parse_expression

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_STATEMENT = re.compile(
    r"\s*(?:(?P<end>\})"
    r"|(?P<name>[\w.]+)\s*(?:\((?P<arguments>[^()]*)\)\s*(?:(?P<open>\{)|;?)"
    r'|:\s*(?P<value>"[^"]*"|[^;\n{}]*?)\s*(?:;|(?=[\n}])))'
    r"|;)"
)
_UNIT = re.compile(r"([\d.eE+-]*)\s*([A-Za-z]+)")
_SCALES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_COMBINATIONAL = ("", "combinational", "combinational_rise", "combinational_fall")


@dataclass(frozen=True, slots=True)
class Table:
    """A quantity over input slew and output load; one of no index is a constant, one of the first alone has no load.

    Attributes:
        slews_ns: of the rows.
        loads_ff: of the columns.
        values: by row, then column.
    """

    slews_ns: tuple[float, ...]
    loads_ff: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def at(self, slew_ns: float, load_ff: float) -> float:
        """Bilinear between the entries; outside them the outermost."""
        low, high, part = _between(self.slews_ns, slew_ns)
        left, right, share = _between(self.loads_ff, load_ff)
        rows = [self.values[row][left] * (1 - share) + self.values[row][right] * share for row in (low, high)]
        return rows[0] * (1 - part) + rows[1] * part


def _between(index: Sequence[float], value: float) -> tuple[int, int, float]:
    """The entries around a value, and how far it is from the first to the second."""
    if len(index) < 2 or value <= index[0]:
        return 0, 0, 0.0
    if value >= index[-1]:
        return len(index) - 1, len(index) - 1, 0.0
    right = bisect.bisect_right(index, value)
    return right - 1, right, (value - index[right - 1]) / (index[right] - index[right - 1])


@dataclass(frozen=True, slots=True)
class Arc:
    """What a cell takes for a change of a pin: femtojoules inside it (`internal_power`), or nanoseconds (`timing`).

    Attributes:
        related_pin: the input that caused it; "" where none is named.
        when: the state it holds in; None for every state that no other arc of the pin names.
        rise, fall: of the pin.
    """

    related_pin: str
    when: BooleanExpression | None
    rise: Table
    fall: Table


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of a cell.

    Attributes:
        capacitance_ff: of an input.
        function: of an output, over input pins or over a flip-flop's state; None for an input.
        energies: femtojoules of its changes.
        delays: nanoseconds from inputs to it.
    """

    name: str
    capacitance_ff: float
    function: BooleanExpression | None
    energies: tuple[Arc, ...]
    delays: tuple[Arc, ...]


@dataclass(frozen=True, slots=True)
class FlipFlop:
    """The state of a cell.

    Attributes:
        state, inverse: names that output functions have for it.
        clock: pin whose rising edge it takes `next_state` on; None when it is no single pin.
        asynchronous: clear and preset, which must stay inactive.
    """

    state: str
    inverse: str
    clock: str | None
    next_state: BooleanExpression
    asynchronous: tuple[BooleanExpression, ...]


@dataclass(frozen=True, slots=True)
class LibraryCell:
    """A cell: its area, its leakage in any state, its pins by name, and its state where it is a flip-flop."""

    name: str
    area_um2: float
    leakage_nw: float
    inputs: Mapping[str, Pin]
    outputs: Mapping[str, Pin]
    flip_flop: FlipFlop | None


@dataclass(frozen=True, slots=True)
class CellLibrary:
    """The cells of a Liberty file by name, and the voltage that they are characterised at."""

    path: Path
    voltage_v: float
    cells: Mapping[str, LibraryCell]

    @property
    def has_energies(self) -> bool:
        """Whether any cell has `internal_power`."""
        return any(pin.energies for pin in self._pins())

    @property
    def has_delays(self) -> bool:
        """Whether any cell has `timing` with delays."""
        return any(pin.delays for pin in self._pins())

    def _pins(self) -> Iterator[Pin]:
        for cell in self.cells.values():
            yield from itertools.chain(cell.inputs.values(), cell.outputs.values())


@dataclass(frozen=True, slots=True)
class _Group:
    """`name (arguments) { ... }`; complex attributes are among the groups, without contents."""

    name: str
    arguments: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)

    def named(self, *names: str) -> list[_Group]:
        return [group for group in self.groups if group.name in names]

    def arguments_of(self, name: str) -> tuple[str, ...]:
        """Of the last complex attribute of a name; () without one."""
        found = self.named(name)
        return found[-1].arguments if found else ()


@dataclass(frozen=True, slots=True)
class _Units:
    """What one unit of the file is, in this module's."""

    capacitance_ff: float
    time_ns: float
    energy_fj: float
    leakage_nw: float


def read_liberty(path: Path) -> CellLibrary:
    """Read a library.

    Raises:
        BadInputError: the file is missing, is no Liberty file, or does not state its nominal voltage.
    """
    require_file(path, "cell library")
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        root = _parsed(text)
        units = _units(root)
        templates = {group.arguments[0]: group for group in root.groups if group.name.endswith("_template")}
        cells = {cell.name: cell for cell in (_cell(group, root, units, templates) for group in root.named("cell"))}
        voltage = root.attributes.get("nom_voltage")
        voltage_v = None if voltage is None else float(voltage) * _scaled(root.attributes.get("voltage_unit", "1V"), 1)
    except (ValueError, IndexError, KeyError) as error:
        raise BadInputError(f"cell library must be a Liberty file, not unreadable ({error}): {path}") from error
    if voltage_v is None:
        raise BadInputError(f"cell library must state its nom_voltage, not leave it out: {path}")
    if not cells:
        raise BadInputError(f"cell library must hold cells, not none: {path}")
    return CellLibrary(path, voltage_v, cells)


def _parsed(text: str) -> _Group:
    """The group `library`."""
    # Lines keep their number: a message names the one that could not be read.
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    text = _CONTINUED.sub(" ", text)
    top = _Group("", ())
    stack = [top]
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _STATEMENT.match(text, position)
        if found is None or (found["end"] and len(stack) == 1):
            snippet = text[position:].split(maxsplit=1)[0][:40]
            raise ValueError(f"{snippet!r} is no statement")
        position = found.end()
        if found["end"]:
            stack.pop()
        elif found["value"] is not None:
            stack[-1].attributes[found["name"]] = found["value"].strip('"')
        elif found["name"]:
            group = _Group(found["name"], tuple(_words(found["arguments"])))
            stack[-1].groups.append(group)
            if found["open"]:
                stack.append(group)
    libraries = top.named("library")
    if len(stack) > 1 or len(libraries) != 1:
        raise ValueError("no whole group `library`")
    return libraries[0]


def _words(arguments: str) -> Iterator[str]:
    for word in re.findall(r'"[^"]*"|[^,\s]+', arguments):
        yield word.strip('"')


def _scaled(unit: str, base: float) -> float:
    """`1pW` in units of `base` watts."""
    found = _UNIT.fullmatch(unit.strip())
    if found is None:
        raise ValueError(f"{unit!r} is no unit")
    return float(found[1] or 1) * _SCALES[found[2][:-1].lower()] / base


def _units(root: _Group) -> _Units:
    number, unit = root.arguments_of("capacitive_load_unit") or ("1", "pf")
    capacitance_ff = _scaled(number + unit, 1e-15)
    volt = _scaled(root.attributes.get("voltage_unit", "1V"), 1)
    return _Units(
        round(capacitance_ff, 9),
        _scaled(root.attributes.get("time_unit", "1ns"), 1e-9),
        round(capacitance_ff * volt * volt, 9),
        _scaled(root.attributes.get("leakage_power_unit", "1nW"), 1e-9),
    )


def _cell(group: _Group, root: _Group, units: _Units, templates: Mapping[str, _Group]) -> LibraryCell:
    default = root.attributes.get("default_input_pin_cap", "0")
    inputs, outputs = {}, {}
    for pin in group.named("pin"):
        name = pin.arguments[0]
        function = pin.attributes.get("function")
        energies = [_arc(each, ("rise_power", "fall_power"), units, templates) for each in pin.named("internal_power")]
        timings = [each for each in pin.named("timing") if each.attributes.get("timing_type", "") in _COMBINATIONAL]
        delays = [_arc(each, ("cell_rise", "cell_fall"), units, templates) for each in timings]
        made = Pin(
            name,
            float(pin.attributes.get("capacitance", default)) * units.capacitance_ff,
            None if function is None else parse_expression(function),
            tuple(arc for arc in energies if arc is not None),
            tuple(arc for arc in delays if arc is not None),
        )
        if pin.attributes.get("direction") == "input":
            inputs[name] = made
        else:
            outputs[name] = made
    flip_flops = group.named("ff")
    return LibraryCell(
        group.arguments[0],
        float(group.attributes.get("area", "0")),
        float(group.attributes.get("cell_leakage_power", root.attributes.get("default_cell_leakage_power", "0")))
        * units.leakage_nw,
        inputs,
        outputs,
        _flip_flop(flip_flops[0]) if flip_flops else None,
    )


def _flip_flop(group: _Group) -> FlipFlop:
    clock = group.attributes["clocked_on"].strip("() ")
    return FlipFlop(
        group.arguments[0],
        group.arguments[1],
        clock if clock.isidentifier() else None,
        parse_expression(group.attributes["next_state"]),
        tuple(parse_expression(group.attributes[name]) for name in ("clear", "preset") if name in group.attributes),
    )


def _arc(group: _Group, names: tuple[str, str], units: _Units, templates: Mapping[str, _Group]) -> Arc | None:
    """None for one without both tables, such as the setup time of a flip-flop."""
    tables = [group.named(name) for name in names]
    if names[0] == "rise_power" and group.named("power"):
        tables = [group.named("power")] * 2
    if not all(tables):
        return None
    scale = units.energy_fj if names[0] == "rise_power" else units.time_ns
    rise, fall = (_table(found[0], scale, units, templates) for found in tables)
    when = group.attributes.get("when")
    related = group.attributes.get("related_pin", "")
    return Arc(related, None if when is None else parse_expression(when), rise, fall)


def _table(group: _Group, scale: float, units: _Units, templates: Mapping[str, _Group]) -> Table:
    """The table's own indices before those of its template."""
    template = templates.get(group.arguments[0], _Group("", ())) if group.arguments else _Group("", ())
    indices: dict[str, tuple[float, ...]] = {"slew": (), "load": ()}
    order = []
    for number in ("1", "2"):
        text = group.arguments_of(f"index_{number}") or template.arguments_of(f"index_{number}")
        if text:
            variable = template.attributes.get(f"variable_{number}", "input" if number == "1" else "capacitance")
            kind = "load" if "capacitance" in variable else "slew"
            unit = units.capacitance_ff if kind == "load" else units.time_ns
            indices[kind] = tuple(value * unit for value in _numbers(text))
            order.append(kind)
    values = [value * scale for value in _numbers(group.arguments_of("values"))]
    rows, columns = (max(1, len(indices[kind])) for kind in ("slew", "load"))
    if len(values) != rows * columns:
        raise ValueError(f"table of {len(values)} values for {rows} x {columns} entries")
    if order == ["load", "slew"]:
        values = [values[column * rows + row] for row in range(rows) for column in range(columns)]
    cut = [tuple(values[row * columns : (row + 1) * columns]) for row in range(rows)]
    return Table(indices["slew"], indices["load"], tuple(cut))


def _numbers(lists: Sequence[str]) -> list[float]:
    return [float(number) for each in lists for number in each.replace(",", " ").split()]
