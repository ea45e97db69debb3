"""One layout of a store a file; open to plug-ins."""
