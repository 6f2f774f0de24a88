"""Static analysis of notebooks and of `dvc.yaml`: the rules of `nb check` and their runner.

rules/      a function per rule, with a passing and a failing example
runner      the findings of the chosen rules in the chosen files
selection   the notebooks to check
findings    places that break a rule, unless `# noqa` silences them
settings    `tool.nb.check` in `pyproject.toml`
facts       project facts: stages, config files, modules, dependencies
paths       paths that a notebook names in code or config
formats     findings as text, JSON or annotations of a pull request
source      a notebook as its cells, parsed
nodes       the nodes of a syntax tree, by type
reads       constant paths that are read, and files that everybody has
hosted      branches for hosted notebooks alone, such as those of Colab
call_order  calls of functions above the assignment of a global that they use
incremental/    a check of each notebook by itself, copies in others, the cache of results
registry    a rule, and the list of all rules

doctor      `nb doctor`: runs health checks and repairs
health/     a function per health check, by environment, Git and pipeline
"""
