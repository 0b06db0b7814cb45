"""cocotb benches, one module per library module: driver, plain-Python model and checker, loaded inside the simulator.

A bench reads its parameters from the design. `MUTATION_PARAMETERS` names the parameter sets at which it alone must
catch every mutant of its module.
"""
