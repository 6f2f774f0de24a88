"""The pipeline as dvc.yaml declares it, read and edited without DVC."""
