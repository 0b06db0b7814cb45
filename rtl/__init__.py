"""Verilog library, generator and static checks of the accelerator."""
