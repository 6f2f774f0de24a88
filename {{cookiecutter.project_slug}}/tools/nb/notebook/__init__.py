"""Notebooks: cells, files, parameters, types, config files and fingerprints."""
