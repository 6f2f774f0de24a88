"""Reader and editor of `dvc.yaml`, and parser of papermill command lines; without DVC."""
