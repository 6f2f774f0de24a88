"""Static analysis of notebooks and of `dvc.yaml`: the rules of `nb check` and their runner.

rules/      a function per rule, with a passing and a failing example
runner      the findings of the chosen rules in the chosen files
selection   the notebooks to check
findings    places that break a rule, unless `# noqa` silences them
settings    `tool.nb.check` in `pyproject.toml`
facts       project facts: stages, config files, modules, dependencies
duplicate_definitions   functions and classes in several notebooks, or in `src/`, too
source      a notebook as its cells, parsed
reads       constant paths that are read, and files that everybody has
names       global names: bound, and used by calls that come too early
cache       findings of unchanged notebooks
registry    a rule, and the list of all rules

doctor      `nb doctor`: runs health checks and repairs
health/     a function per health check, by environment, Git and pipeline
"""
