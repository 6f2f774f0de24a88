"""Files that a command opens, held against the contract of its stage."""
