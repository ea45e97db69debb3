"""Thin commands: parse, call the pipeline, print."""
