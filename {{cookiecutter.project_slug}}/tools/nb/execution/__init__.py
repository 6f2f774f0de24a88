"""How papermill runs a notebook here: its engine `nb`, which the stages of `dvc.yaml` name.

It differs from papermill's own in that the kernel talks over files that only this user can open,
instead of TCP ports that can collide; parameters are checked before a kernel starts; the executed
copy is the same for the same results, and written as a whole, once secrets were removed and outputs
searched for credentials; failures that Jupyter passes over count (`strict`); and no process of the
notebook outlives papermill: a signal, or a time limit, interrupts the cell, and kills the kernel
and what it started if that does not help.
"""
