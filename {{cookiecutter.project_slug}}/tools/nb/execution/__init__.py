"""Execution of notebooks by papermill's engine `nb`, which the stages of `dvc.yaml` name.

Differences to papermill's default engine: the kernel talks over private socket files instead of TCP
ports, which can collide; parameters are validated before a kernel starts; the executed copy is
deterministic, masked and written atomically; failures that Jupyter ignores count (`strict`); and no
process of the notebook outlives papermill: a signal or a timeout interrupts the cell, then kills
the kernel with all descendants.
"""
