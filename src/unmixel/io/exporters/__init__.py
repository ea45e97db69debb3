"""One small class per format in which others can open a result, found by the entry point ``unmixel.exporters``."""
