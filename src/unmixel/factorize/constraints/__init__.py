"""One constraint a file; open to plug-ins."""
