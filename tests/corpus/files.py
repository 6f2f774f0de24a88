"""Notebooks about files: formats, folders, paths, downloads and caches."""

from __future__ import annotations

from tests.promotion_kinds import Kind, notebook

NOTEBOOKS: dict[str, Kind] = {
    "json-records": notebook(
        """
# %%
import json
with open('people.json') as f:
    people = json.load(f)
# %%
for p in people: print(p['name'], p.get('age', 'unknown'))
# %%
grown = [p for p in people if p.get('age', 0) >= 18]
json.dump(grown, open('grown.json', 'w'), indent=2)
""",
        beside={"people.json": '[{"name": "Ann", "age": 30}, {"name": "Bo"}]\n'},
    ),
    "json-lines": notebook(
        """
# %%
import json, gzip
from pathlib import Path
# %%
rows = [json.loads(line) for line in Path('events.jsonl').read_text().splitlines()]
# %%
with gzip.open('../../data/interim/events.json.gz', 'wt') as handle:
    for row in rows:
        handle.write(json.dumps(row) + '\\n')
len(rows)
""",
        beside={"events.jsonl": '{"id": 1}\n{"id": 2}\n'},
    ),
    "csv-module": notebook(
        """
# %%
import csv
with open('grades.csv', newline='') as csvfile:
    reader = csv.DictReader(csvfile)
    grades = {row['student']: int(row['grade']) for row in reader}
grades
# %%
with open('passed.csv', 'w', newline='') as csvfile:
    w = csv.writer(csvfile)
    w.writerow(['student'])
    for s, g in sorted(grades.items()):
        if g < 5:
            w.writerow([s])
""",
        beside={"grades.csv": "student,grade\nann,1\nbo,5\n"},
    ),
    "pickle-cache": notebook(
        """
# %%
import os, pickle
# %%
CACHE = 'expensive.pkl'
def expensive(n):
    return [i**2 for i in range(n)]
if os.path.exists(CACHE):
    result = pickle.load(open(CACHE, 'rb'))
else:
    result = expensive(5)
    pickle.dump(result, open(CACHE, 'wb'))
print(result)
"""
    ),
    "glob-many": notebook(
        """
# %%
import glob
import pandas as pd
frames = []
for name in sorted(glob.glob('month_*.csv')):
    frames.append(pd.read_csv(name).assign(source=name))
# %%
everything = pd.concat(frames, ignore_index=True)
everything.to_csv('everything.csv', index=False)
everything.shape
""",
        beside={"month_1.csv": "n\n1\n", "month_2.csv": "n\n2\n"},
        refused="as 'month_1.csv' became 'data/raw/month_1.csv'",
    ),
    "glob-and-sum": notebook(
        """
# %%
import pandas as pd
from glob import glob
total = sum(pd.read_csv(name).n.sum() for name in glob('month_*.csv'))
# %%
print(total)
""",
        beside={"month_1.csv": "n\n1\n", "month_2.csv": "n\n2\n"},
    ),
    "os-listdir": notebook(
        """
# %%
import os
from os.path import join, isfile
DATA_PATH = os.path.join(os.getcwd(), '..', '..', 'data', 'raw')
# %%
names = sorted(os.listdir(DATA_PATH))
files = [f for f in names if isfile(join(DATA_PATH, f)) and f.endswith('.csv')]
'prices.csv' in files
# %%
os.path.getsize(join(DATA_PATH, 'prices.csv')) > 0
"""
    ),
    "pathlib-root": notebook(
        """
# %%
from pathlib import Path
import pandas as pd
ROOT = Path.cwd().parent.parent
RAW = ROOT / 'data' / 'raw'
# %%
table = pd.read_csv(RAW / 'prices.csv')
out = ROOT / 'data' / 'processed'
out.mkdir(exist_ok=True, parents=True)
table.head(3).to_csv(out / 'first-three.csv')
"""
    ),
    "parents-of-file": notebook(
        """
# %%
import pathlib
here = pathlib.Path().resolve()
project = here.parents[1]
sorted(p.name for p in project.iterdir() if p.is_dir() and p.name in ('data', 'notebooks'))
# %%
(project / 'data' / 'raw' / 'prices.csv').read_text()[:8]
"""
    ),
    "chdir-magic": notebook(
        """
# %%
%cd ../..
import pandas as pd
# %%
prices = pd.read_csv('data/raw/prices.csv')
prices.tail(2).to_csv('data/processed/last-two.csv')
""",
    ),
    "cd-up-and-read": notebook(
        """
# %%
%cd ..
import pandas as pd
# %%
len(pd.read_csv('../data/raw/prices.csv'))
""",
        refused="and change no folder",
    ),
    "cd-up-and-write": notebook(
        """
# %%
%cd ..
# %%
with open('made-above.txt', 'w') as f:
    f.write('x')
""",
        refused="and change no folder",
    ),
    "chdir-and-back": notebook(
        """
# %%
import os
old = os.getcwd()
os.chdir('../../data/raw')
size = len(open('prices.csv').readlines())
os.chdir(old)
# %%
size
"""
    ),
    "sys-path": notebook(
        """
# %%
import sys
sys.path.append('..')
sys.path.insert(0, './')
# %%
from my_tools import add
add(1, 2)
""",
        beside={"my_tools.py": "def add(a, b):\n    return a + b\n"},
    ),
    "package-beside": notebook(
        """
# %%
from lib.text import shout
import lib.numbers as numbers
shout('hello'), numbers.ANSWER
""",
        beside={
            "lib/__init__.py": "",
            "lib/text.py": "from .numbers import ANSWER\n\n\ndef shout(t):\n"
            "    return t.upper() + '!' * ANSWER\n",
            "lib/numbers.py": "ANSWER = 42\n",
        },
    ),
    "download-if-missing": notebook(
        """
# %%
import os
import urllib.request
import pandas as pd
URL = 'http://localhost:9/houses.csv'
FILE = 'houses.csv'
if not os.path.isfile(FILE):
    urllib.request.urlretrieve(URL, FILE)
pd.read_csv(FILE)
""",
        beside={"houses.csv": "a,b\n1,2\n"},
    ),
    "download": notebook(
        """
# %%
import pandas as pd
url = 'http://localhost:9/iris.data'
df = pd.read_csv(url, header=None)
""",
        refused="download the file into data/raw once",
    ),
    "requests-api": notebook(
        """
# %%
import requests
r = requests.get('http://localhost:9/api')
r.json()
""",
        dependencies=("requests",),
        refused="download the file into data/raw once",
    ),
    "temporary": notebook(
        """
# %%
import tempfile, shutil, os
d = tempfile.mkdtemp()
p = os.path.join(d, 'x.txt')
with open(p, 'w') as f:
    f.write('abc')
print(open(p).read())
shutil.rmtree(d)
""",
    ),
    "zip-archive": notebook(
        """
# %%
import zipfile, io
with zipfile.ZipFile('bundle.zip', 'w') as z:
    z.writestr(zipfile.ZipInfo('a.txt'), 'alpha')
# %%
with zipfile.ZipFile('bundle.zip') as z:
    print(z.namelist(), z.read('a.txt').decode())
"""
    ),
    "text-report": notebook(
        """
# %%
lines = open('../../data/raw/prices.csv').read().split('\\n')
# %%
with open('report.txt', 'w') as out:
    print('rows', len(lines), file=out)
    out.write('-' * 20 + '\\n')
    out.writelines(l + '\\n' for l in lines[:2])
"""
    ),
    "yaml-config": notebook(
        """
# %%
import yaml
cfg = yaml.safe_load(open('settings.yml'))
cfg
# %%
cfg['limit'] * 2
""",
        beside={"settings.yml": "limit: 21\nname: test\n"},
        dependencies=("pyyaml",),
    ),
    "logging-file": notebook(
        """
# %%
import logging
logging.basicConfig(filename='run.log', filemode='w', level=logging.INFO, format='%(message)s')
logging.info('started')
# %%
logging.getLogger(__name__).warning('done')
logging.shutdown()
"""
    ),
    "overwrites-input": notebook(
        """
# %%
import pandas as pd
t = pd.read_csv('../../data/raw/prices.csv')
t['price'] = t['price'].fillna(0)
t.to_csv('../../data/raw/prices.csv', index=False)
""",
        refused="it changes its own input data/raw/prices.csv",
    ),
    "missing-file": notebook(
        """
# %%
import pandas as pd
pd.read_csv('../input/train.csv')
""",
        refused="put a file that is read into data/raw",
    ),
    "absolute-elsewhere": notebook(
        """
# %%
import pandas as pd
df = pd.read_excel(r'C:\\Users\\me\\Desktop\\sales 2021.xlsx')
""",
        refused="sales 2021.xlsx",
    ),
    "f-string-paths": notebook(
        """
# %%
import pandas as pd
folder = '../../data'
kind = 'prices'
df = pd.read_csv(f'{folder}/raw/{kind}.csv')
# %%
for district, part in df.groupby('district'):
    part.to_csv(f'{folder}/interim/{kind}-{district}.csv', index=False)
"""
    ),
    "folder-of-results": notebook(
        """
# %%
import os
out_dir = './results'
os.makedirs(out_dir, exist_ok=True)
for k in range(3):
    with open(os.path.join(out_dir, 'part%02d.txt' % k), 'w') as f:
        f.write(str(k))
# %%
sorted(os.listdir(out_dir))
"""
    ),
}
