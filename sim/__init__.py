"""Benches and simulators: printed designs against the golden model, bit for bit."""
