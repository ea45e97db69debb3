"""Factors to meaning: cluster and measure, strangers to each other."""
