"""Notebooks that lean on Jupyter: magics, the shell, display, widgets, progress bars, hosts."""

from __future__ import annotations

from tests.promotion_kinds import Kind, notebook

NOTEBOOKS: dict[str, Kind] = {
    "timed-cells": notebook(
        """
# %%
%%time
total = 0
for i in range(1000): total += i
# %%
%%timeit -n 1 -r 1
sum(range(1000))
# %%
%time squares = [n*n for n in range(10)]
squares
# %%
r = %timeit -o -q -n 1 -r 1 sum([1, 2])
r.loops
""",
    ),
    "inline-config": notebook(
        """
# %%
%matplotlib inline
%config InlineBackend.figure_format = 'retina'
%load_ext autoreload
%autoreload 2
%precision 3
import matplotlib.pyplot as plt
# %%
plt.plot([1, 3, 2]);
""",
    ),
    "notebook-backend": notebook(
        """
# %%
%matplotlib notebook
import matplotlib.pyplot as plt
plt.plot([0, 1])
""",
    ),
    "display-rich": notebook(
        """
# %%
from IPython.display import display, HTML, Markdown, Image, Math, clear_output
display(HTML('<b>bold</b>'))
display(Markdown('**also**'), Math(r'\\frac{1}{2}'))
# %%
from IPython.core.display import HTML as H
H('<style>div { color: red }</style>')
""",
    ),
    "show-all": notebook(
        """
# %%
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.ast_node_interactivity = "all"
# %%
1 + 1
2 + 2
""",
    ),
    "last-output": notebook(
        """
# %%
3 * 7
# %%
_ + 1
# %%
Out[1], In[0]
""",
        refused="give the result of the other cell a name",
    ),
    "help-marks": notebook(
        """
# %%
len?
# %%
import math
math.sqrt??
# %%
?math.pi
# %%
print(math.floor(2.5))
""",
    ),
    "capture": notebook(
        """
# %%
%%capture out
print('hidden')
# %%
print(out.stdout.upper())
""",
    ),
    "writefile-text": notebook(
        """
# %%
%%writefile notes.txt
some notes
of two lines
# %%
print(open('notes.txt').read())
""",
    ),
    "writefile-module": notebook(
        """
# %%
%%writefile helpers_made_here.py
def triple(x):
    return 3 * x
# %%
from helpers_made_here import triple
triple(2)
""",
        contains=("def triple",),
    ),
    "writefile-script": notebook(
        """
# %%
%%writefile job_script.py
print('from a script')
# %%
!python job_script.py
# %%
%run job_script.py
""",
        listed=("NB304",),
    ),
    "cd-up": notebook(
        """
# %%
%cd ..
# %%
import os
os.path.basename(os.getcwd())
""",
    ),
    "pwd-ls": notebook(
        """
# %%
!ls ../../data/raw | head -1
# %%
files = !ls ../../data/raw/*.csv
len(files)
# %%
%ls ../../data/raw/prices.csv
""",
    ),
    "shell-variables": notebook(
        """
# %%
where = '../../data/raw'
n = 2
!head -n {n} {where}/prices.csv
# %%
!head -n $n $where/prices.csv | wc -l
""",
    ),
    "pip-install": notebook(
        """
# %%
!pip install -q --no-index pip
# %%
import pandas as pd
pd.DataFrame({'a': [1]})
""",
        listed=("pip install -q --no-index pip is left out",),
    ),
    "conda-install": notebook(
        """
# %%
%conda install -y numpy
""",
        refused="conda",
    ),
    "env-magic": notebook(
        """
# %%
%env MY_LEVEL=3
import os
# %%
os.environ['MY_LEVEL']
# %%
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
print(os.environ.get('UNSET_THING', 'default'))
""",
    ),
    "javascript-cell": notebook(
        """
# %%
%%javascript
console.log('hi')
# %%
%%html
<p>text</p>
# %%
%%latex
$\\alpha$
# %%
print('python again')
""",
    ),
    "bash-script": notebook(
        """
# %%
%%bash
set -e
mkdir -p ../../data/interim/cut
cut -d, -f1 ../../data/raw/prices.csv > ../../data/interim/cut/districts.txt
# %%
print(sum(1 for _ in open('../../data/interim/cut/districts.txt')))
""",
    ),
    "sh-and-perl": notebook(
        """
# %%
%%sh
echo one two | tr ' ' '\\n'
# %%
%%script bash
echo three
""",
    ),
    "widgets": notebook(
        """
# %%
from ipywidgets import interact
@interact(x=(0, 10))
def show(x=3):
    return x * 2
""",
        refused="ipywidgets",
    ),
    "progress": notebook(
        """
# %%
from tqdm.notebook import tqdm
total = 0
for i in tqdm(range(5)):
    total += i
total
""",
        refused="import tqdm from tqdm.auto",
    ),
    "progress-text": notebook(
        """
# %%
from tqdm import tqdm, trange
import time
s = 0
for i in trange(3, desc='loop'):
    time.sleep(0.001)
    s += i
# %%
print(s)
""",
        dependencies=("tqdm",),
    ),
    "colab": notebook(
        """
# %%
from google.colab import drive
drive.mount('/content/drive')
# %%
import pandas as pd
df = pd.read_csv('/content/drive/MyDrive/data.csv')
""",
        refused="only Colab has google.colab",
    ),
    "colab-guarded": notebook(
        """
# %%
try:
    import google.colab
    IN_COLAB = True
except ImportError:
    IN_COLAB = False
# %%
if IN_COLAB:
    !pip install something
print(IN_COLAB)
""",
    ),
    "databricks": notebook(
        """
# %%
df = spark.read.table('sales')
display(df)
""",
        refused="only Databricks gives spark",
    ),
    "run-other": notebook(
        """
# %%
%run ./common_setup.py
# %%
print(double(SETTING))
""",
        beside={"common_setup.py": "SETTING = 4\n\n\ndef double(x):\n    return 2 * x\n"},
        contains=("from biopsies.common_setup import SETTING, double",),
    ),
    "indented-cell": notebook(
        """
# %%
    x = 1
    print(x)
# %%
print(x + 1)
""",
    ),
    "prompts-pasted": notebook(
        """
# %%
>>> y = 2
>>> print(y)
# %%
In [3]: z = y + 1
# %%
print(z)
""",
    ),
    "semicolons": notebook(
        """
# %%
import os; import sys; a = 1; b = 2;
# %%
print(a); print(b);
a+b;
""",
    ),
    "get-ipython": notebook(
        """
# %%
ip = get_ipython()
ip.run_line_magic('matplotlib', 'inline')
get_ipython().system('echo from shell')
# %%
ip.__class__.__name__ == 'ZMQInteractiveShell'
""",
    ),
    "plotted-magics": notebook(
        """
# %%
%reset -f
%who
# %%
import matplotlib.pyplot as plt
fig = plt.figure(figsize=(3,2)); ax = fig.add_subplot(111)
_ = ax.bar(['a', 'b'], [1, 2])
fig.savefig('bars.pdf')
""",
    ),
    "comments-only": notebook(
        """
# %%
# import this
# TODO later
# %%
#%%
# %%

# %%
1
""",
    ),
}
