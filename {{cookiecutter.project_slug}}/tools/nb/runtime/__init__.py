"""The scheduler, the workers and the process with warm imports; knows neither DVC nor dvc.yaml."""
