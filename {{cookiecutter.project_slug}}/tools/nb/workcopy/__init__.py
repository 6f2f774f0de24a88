"""Private copies of the project, and results brought back as a whole."""
