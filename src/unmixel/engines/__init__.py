"""Where arrays live and how blocks of a scan are read; the only importer of dask and torch."""
