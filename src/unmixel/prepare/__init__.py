"""Scan to scan: explicit steps, each saying what it did."""
