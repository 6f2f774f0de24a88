"""Health checks of a clone, each with the command that repairs the clone."""
