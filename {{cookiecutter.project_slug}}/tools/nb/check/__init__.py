"""Rules for notebooks: what `nb check` finds, and why it matters.

rules/      one function per rule, with its example that passes and its example that fails
runner      which rules look at which files; `# noqa`
facts       what the project declares: stages, config files, modules, dependencies
elsewhere   which definitions stand in several of the notebooks, or in `src/`, too
source      a notebook as its cells, parsed
names       which names a notebook uses before they are defined
model       a rule, a finding, and the list of all rules
"""
