"""Where frames come from, one detector's protocol a file; each is registered under ``unmixel.sources``."""
