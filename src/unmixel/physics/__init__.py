"""Formulas on plain numbers: wavelength, probe, kernels."""
