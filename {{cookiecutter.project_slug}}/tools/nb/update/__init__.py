"""Updates of a project from its template: the record, both renderings, and their merge by Git."""
