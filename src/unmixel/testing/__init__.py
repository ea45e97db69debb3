"""Conformance suites for plug-ins and phantoms with truth."""
