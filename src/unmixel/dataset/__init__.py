"""The nouns that stages exchange: frozen, without algorithms, without file formats."""
