"""Measure pipelines of notebooks: this project, its peers and the floor, side by side."""
