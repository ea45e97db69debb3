"""Bytes to nouns and back; the only importer of h5py, zarr and rsciio."""
