"""The documentation site: pages generated from the code, and MkDocs' hooks."""
