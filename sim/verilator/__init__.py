"""Printed designs on Verilator: `main.cpp`, compiled with a design, plays images without Python in the loop."""
