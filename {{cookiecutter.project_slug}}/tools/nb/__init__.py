"""The tooling behind `nb`: run, check and version the notebooks of a project."""

__version__ = "0.2.0"
