"""Rules of `nb check`, a module per digit; importing them fills the list of all rules."""

from . import contract, guards, imports, inputs, parsing, reading, running

__all__ = ["contract", "guards", "imports", "inputs", "parsing", "reading", "running"]
