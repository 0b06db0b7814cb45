"""The parts of the report page that the energy report cannot know: accuracy, quantization, simulation, hardware."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from energy.plots import ADDER, svg_text
from energy.section import KeyFigure, Picture, Section, Table
from hwadder.results import QUANTIZATION_HEADINGS, Record, clock_text, quantization_rows
from quant.integer_network import IntegerNetwork
from rtl.nextpnr import ClockRate, Outcome
from rtl.synthesis import FAMILIES, Target
from sim.simulate import Mismatch


def introduction(quantization: Record, design: Record | None, simulation: Record | None) -> str:
    """What the page is about, as far as the steps have run."""
    sentences = [
        f"{quantization['model']} trained on {quantization['data']}, quantized to {quantization['bits']} bits."
    ]
    if design is not None:
        lanes = design["parameters"]
        sentences.append(f"Printed as Verilog with {lanes['IN_LANES']} x {lanes['OUT_LANES']} lanes.")
    if simulation is not None:
        sentences.append("Simulated against the golden integer model, every layer in every value.")
    return " ".join(sentences)


def sections(
    network: IntegerNetwork,
    evaluation: Record | None,
    quantization: Record,
    design: Record | None,
    simulation: Record | None,
    synthesis: Record | None = None,
) -> tuple[tuple[KeyFigure, ...], tuple[Section, ...]]:
    """Headline figures and sections from the steps' records; a step that has not run leaves its part out."""
    figures: list[KeyFigure] = []
    parts: list[Section] = []
    if evaluation is not None:
        figures.append(_accuracy("float accuracy", evaluation, "The trained network in torch (evaluate.json)."))
    integer = quantization["evaluation"]
    figures.append(_accuracy("integer accuracy", integer, "The golden integer model (quantize.json)."))
    parts.append(_quantization(quantization))
    if simulation is not None:
        simulated = f"Counted by {simulation['simulator']} as it played the printed Verilog (simulate.json)."
        figures.append(
            KeyFigure(
                f"{simulation['cycles_per_image']:,.0f}", "cycles per image", "simulated, not estimated", simulated
            )
        )
        figures.append(
            KeyFigure(
                f"{simulation['mismatches']}",
                "mismatches",
                f"{simulation['values_compared']:,} values compared",
                simulated,
            )
        )
        parts.append(_simulation(simulation))
    if design is not None:
        parts.append(_hardware(network, design))
    if synthesis is not None:
        parts.append(_synthesis(synthesis))
    return tuple(figures), tuple(parts)


def _accuracy(label: str, evaluation: Record, source: str) -> KeyFigure:
    images = f"{evaluation['correct']} of {evaluation['images']} test images"
    return KeyFigure(f"{evaluation['accuracy']:.2%}", label, images, source)


def _quantization(quantization: Record) -> Section:
    rows = tuple(quantization_rows(quantization))
    numbers = QUANTIZATION_HEADINGS[2:]
    measured = "Chosen or measured on the calibration images, widths proven from the weights (quantize.json)."
    plot = Picture(_noise_plot(quantization["layers"]), "Signal to quantisation noise of each layer's output", True)
    return Section(
        "Quantization, layer by layer",
        paragraphs=(
            "Activations and weights of an adder layer share one grid. Weights outside it are clipped without loss: "
            "what they lose is a constant of the output channel. Widths are proven from the real weights.",
        ),
        pictures=(plot,),
        tables=(
            Table(
                QUANTIZATION_HEADINGS,
                rows,
                numbers,
                f"Network SHA-256 {quantization['sha256']}",
                sources=dict.fromkeys(numbers, measured),
                explorable=True,
            ),
        ),
    )


def _noise_plot(layers: Sequence[Record]) -> str:
    measured = [row for row in layers if row["sqnr_db"] is not None]
    figure = Figure(figsize=(9.6, 0.8 + 0.26 * len(measured)), layout="constrained")
    axes = figure.subplots()
    names = [row["layer"] for row in measured]
    axes.barh(names, [row["sqnr_db"] for row in measured], color=ADDER, height=0.6)
    axes.invert_yaxis()
    axes.set_xlabel("SQNR, dB (6 dB are one bit)")
    axes.spines[["top", "right"]].set_visible(False)
    return svg_text(figure, "sqnr")


def _simulation(simulation: Record) -> Section:
    equal = simulation["mismatches"] == 0
    return Section(
        "Simulation against the golden model",
        paragraphs=(
            f"{simulation['simulator']} played {simulation['images']} test images to the printed Verilog. Every value "
            f"of every one of {simulation['layers']} layers was compared with the golden integer model: "
            f"{simulation['values_compared']:,} values, "
            + ("all equal." if equal else f"but {Mismatch(**simulation['mismatch']).sentence()}."),
            f"Waveform of the first image: {simulation['waveform']}.",
        ),
    )


def _hardware(network: IntegerNetwork, design: Record) -> Section:
    parameters = design["parameters"]
    lanes = parameters["IN_LANES"] * parameters["OUT_LANES"]
    memories = (
        ("two images", 2 * parameters["IMAGE_DEPTH"], parameters["IN_LANES"] * parameters["CODE_BITS"]),
        ("buffer A", parameters["BUFFER_A_DEPTH"], parameters["IN_LANES"] * parameters["CODE_BITS"]),
        ("buffer B", parameters["BUFFER_B_DEPTH"], parameters["IN_LANES"] * parameters["CODE_BITS"]),
        ("weights", parameters["WEIGHT_DEPTH"], lanes * parameters["CODE_BITS"]),
        (
            "affine steps",
            parameters["AFFINE_DEPTH"],
            parameters["DRAIN_LANES"] * (parameters["CONST_BITS"] + 7 * parameters["DIGITS"]),
        ),
        ("descriptors", parameters["DESCRIPTOR_DEPTH"], 32),
    )
    rows = tuple((name, f"{depth:,}", f"{width:,}", f"{depth * width / 8192:,.1f}") for name, depth, width in memories)
    widths = tuple(
        (label, str(parameters[key]))
        for label, key in (
            ("code", "CODE_BITS"),
            ("accumulator", "ACC_BITS"),
            ("affine constant", "CONST_BITS"),
            ("affine sum", "AFFINE_BITS"),
            ("result", "OUT_BITS"),
        )
    )
    clocks = tuple(
        (
            layer["node"],
            f"{layer['channels']:,}",
            f"{layer['clocks']:,}",
            f"{layer['clocks'] / design['clocks_per_image']:.1%}",
        )
        for layer in design["layers"]
    )
    sizes = ("words", "bits a word", "KiB")
    printed = "Parameters of the printed Verilog (rtl.json)."
    form = "minimum" if parameters["MIN_FORM"] else "one's complement"
    return Section(
        "Hardware",
        paragraphs=(
            f"Module {design['top']}: {parameters['IN_LANES']} x {parameters['OUT_LANES']} = {lanes} {form} lanes run "
            f"the {len(network.layers)} layers one after the other. No multiplier: affine steps are "
            f"{parameters['DIGITS']} shifts and adds, dot-product layers go bit by bit.",
        ),
        tables=(
            Table(("memory", *sizes), rows, sizes, "Memories", sources=dict.fromkeys(sizes, printed)),
            Table(("what", "bits"), widths, ("bits",), "Widths, derived from the network", sources={"bits": printed}),
            Table(
                ("layer", "channels", "clocks", "share"),
                clocks,
                ("channels", "clocks", "share"),
                f"Clocks, predicted: {design['clocks_per_image']:,} from image to image",
                sources=dict.fromkeys(("clocks", "share"), "The cycle model, which simulations are compared with."),
                explorable=True,
            ),
        ),
    )


def _synthesis(synthesis: Record) -> Section:
    tables: list[Table] = []
    mapped = "Counted by Yosys, clock rates by nextpnr (rtl/synthesis.json)."
    gates, area = synthesis["gates"], synthesis["area"]
    if gates is not None:
        rows = [
            ("logic, gate equivalents", f"{gates['gate_equivalents']:,.0f}"),
            ("flip-flops among them", f"{gates['flip_flops']:,}"),
        ]
        if area is not None:
            rows += [
                (f"logic area in {area['library']}, in the library's unit", f"{area['area']:,.1f}"),
                ("flip-flops' part of it", f"{area['sequential_area']:,.1f}"),
            ]
            if area["nand2_equivalents"] is not None:
                rows.append(("logic area in NAND2", f"{area['nand2_equivalents']:,.0f}"))
        rows.append(("memory bits, not in the logic", f"{synthesis['memory_bits']:,}"))
        caption = f"As a chip. {gates['convention']}"
        tables.append(Table(("asic", "figure"), tuple(rows), ("figure",), caption, sources={"figure": mapped}))
    if synthesis["fpga"]:
        headings = ("family", "LUTs", "flip-flops", "block RAMs", "LUT RAMs", "carry cells", "DSP blocks")
        filled = tuple(_fpga_row(entry) for entry in synthesis["fpga"])
        caption = "On FPGAs. Fmax is that of one run of place and route, with a register at every port."
        sources = dict.fromkeys((*headings[1:], "Fmax"), mapped)
        tables.append(Table((*headings, "Fmax"), filled, headings[1:], caption, sources=sources))
    return Section(
        "Synthesis",
        paragraphs=(
            f"Yosys mapped module {synthesis['top']}. Multiplier cells in the elaborated design: "
            f"{synthesis['multipliers']}.",
        ),
        tables=tuple(tables),
    )


def _fpga_row(filled: Record) -> tuple[str, ...]:
    clock = filled["clock"]
    if clock is None:
        rate = "not asked for"
    else:
        known = ClockRate(clock["device"], Outcome(clock["outcome"]), clock["fmax_mhz"], None, clock["reason"])
        rate = f"{clock_text(known)} ({known.device})"
    return (
        FAMILIES[Target(filled["target"])].name,
        f"{filled['luts']:,}",
        f"{filled['flip_flops']:,}",
        f"{filled['block_rams']:g}",
        f"{filled['lut_rams']:,}",
        f"{filled['carries']:,}",
        f"{filled['dsps']:,}",
        rate,
    )
