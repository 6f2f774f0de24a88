"""The tooling behind `nb`: run, check and version the notebooks of a project."""
