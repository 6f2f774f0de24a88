"""Notebooks about the language: courses, puzzles, simulations and scripts pasted into cells."""

from __future__ import annotations

from tests.promotion_kinds import Kind, notebook

NOTEBOOKS: dict[str, Kind] = {
    "course-basics": notebook(
        """
# %% [markdown]
# # Lesson 1: variables & types
# %%
x = 5
y = 2.0
name = "Ada"
x / y, x // 2, name * 2
# %%
type(x), isinstance(y, float)
# %%
# this is a comment
if x > 3 and not x == 4:
    print("big")
elif x == 3: print("three")
else:
    print("small")
# %%
i = 0
while i < 3:
    print(i, end=' ')
    i += 1
""",
        contains=("x: 5",),
    ),
    "comprehensions": notebook(
        """
# %%
squares = [x**2 for x in range(6) if x % 2]
pairs = {(a, b) for a in 'ab' for b in 'cd'}
lookup = {k: len(k) for k in ('one', 'three')}
gen = (c for c in 'xyz')
squares, sorted(pairs), lookup, next(gen)
# %%
[[row[i] for row in [[1, 2], [3, 4]]] for i in range(2)]
# %%
list(map(lambda t: t[0]*t[1], zip([1, 2], [3, 4])))
""",
    ),
    "if-main": notebook(
        """
# %%
def solve(n):
    if n < 2:
        return n
    return solve(n-1) + solve(n-2)

def main():
    for k in range(5):
        print(solve(k))

if __name__ == '__main__':
    main()
""",
        contains=("def solve", "def main"),
    ),
    "late-definition": notebook(
        """
# %%
def outer(v):
    return inner(v) + 1
# %%
def inner(v):
    return v * FACTOR
# %%
FACTOR = 3
outer(2)
""",
    ),
    "redefined": notebook(
        """
# %%
def f(x):
    return x + 1
print(f(1))
# %%
def f(x):
    return x * 10
print(f(1))
""",
    ),
    "global-counter": notebook(
        """
# %%
count = 0
def tick():
    global count
    count += 1
    return count
# %%
tick(); tick()
print(count)
""",
    ),
    "closure-state": notebook(
        """
# %%
def make_counter():
    n = 0
    def step():
        nonlocal n
        n += 1
        return n
    return step
c = make_counter()
c(), c()
""",
        contains=("def make_counter",),
    ),
    "bank-account": notebook(
        """
# %%
class Account:
    interest = 0.02
    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance
    def deposit(self, amount):
        self.balance += amount
        return self
    def __repr__(self):
        return "<%s: %.2f>" % (self.owner, self.balance)
    @property
    def rich(self): return self.balance > 1e6
    @classmethod
    def empty(cls, owner):
        return cls(owner)
# %%
class Savings(Account):
    def add_interest(self):
        return self.deposit(self.balance * self.interest)
# %%
a = Savings('ann', 100)
a.add_interest()
# %%
a.rich, Account.empty('bo')
""",
        contains=("class Savings(Account)",),
    ),
    "abstract-shapes": notebook(
        """
# %%
from abc import ABC, abstractmethod
from enum import Enum
from typing import NamedTuple
import math
# %%
class Colour(Enum):
    RED = 1
    BLUE = 2
class Point(NamedTuple):
    x: float
    y: float = 0.0
class Shape(ABC):
    @abstractmethod
    def area(self): ...
class Circle(Shape):
    def __init__(self, r): self.r = r
    def area(self): return math.pi * self.r**2
# %%
print(Circle(2).area(), Colour.RED, Point(1))
""",
        contains=("class Circle(Shape)",),
    ),
    "exceptions": notebook(
        """
# %%
class TooBig(ValueError):
    pass
def check(n):
    if n > 10:
        raise TooBig('%d is too big' % n)
    return n
# %%
try:
    check(11)
except TooBig as e:
    print('caught', e)
finally:
    print('done')
""",
        contains=("class TooBig",),
    ),
    "raises-on-purpose": notebook(
        """
# %%
d = {'a': 1}
# %%
d['b']
# %%
print('next')
""",
        refused="KeyError",
    ),
    "out-of-order": notebook(
        """
# %%
import pandas as pd
print(tidy.head())
# %%
raw = pd.DataFrame({'a': [1, None]})
# %%
tidy = raw.dropna()
""",
        refused="code cell 3 further down defines tidy",
    ),
    "deleted-cell": notebook(
        """
# %%
print(helper(3))
""",
        refused="no cell defines helper",
    ),
    "syntax-error": notebook(
        """
# %%
x = 1
# %%
prnt 'hello'
""",
        refused="invalid syntax",
    ),
    "python-two": notebook(
        """
# %%
print "Hello, world"
""",
        refused="print",
    ),
    "generators": notebook(
        """
# %%
import itertools as it
from collections import Counter, defaultdict, deque, namedtuple
def primes():
    found = []
    for n in it.count(2):
        if all(n % p for p in found):
            found.append(n)
            yield n
list(it.islice(primes(), 6))
# %%
Counter('mississippi').most_common(2)
# %%
d = defaultdict(list)
for k, v in [('a', 1), ('b', 2), ('a', 3)]:
    d[k].append(v)
dict(d), deque([1, 2, 3], maxlen=2)
# %%
P = namedtuple('P', 'x y')
P(1, 2)._replace(y=5)
""",
        contains=("def primes",),
    ),
    "decorators": notebook(
        """
# %%
import functools, time
def timer(func):
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        start = time.perf_counter()
        value = func(*args, **kwargs)
        elapsed = time.perf_counter() - start
        assert elapsed >= 0
        return value
    return wrapper
# %%
@timer
def slow_sum(n):
    return sum(range(n))
slow_sum(1000)
""",
        contains=("def timer",),
    ),
    "context-manager": notebook(
        """
# %%
from contextlib import contextmanager
@contextmanager
def tag(name):
    print(f'<{name}>')
    yield
    print(f'</{name}>')
with tag('h1'):
    print('hello')
""",
        contains=("def tag",),
    ),
    "async-await": notebook(
        """
# %%
import asyncio
async def fetch(n):
    await asyncio.sleep(0)
    return n * 2
# %%
await fetch(1)
# %%
results = await asyncio.gather(*[fetch(n) for n in range(3)])
results
""",
        contains=("async def fetch",),
    ),
    "walrus-match": notebook(
        """
# %%
def kind(v):
    match v:
        case [x, *_]: return f'list from {x}'
        case {'k': k}: return f'map of {k}'
        case int() | float(): return 'number'
        case _: return 'other'
[kind(v) for v in ([1], {'k': 2}, 3, None)]
# %%
if (n := len('abc')) > 2: print(n)
""",
        contains=("def kind",),
    ),
    "regex": notebook(
        """
# %%
import re
LOG = '''127.0.0.1 - - [10/Oct/2000] "GET /a.gif" 200
10.0.0.7 - - [11/Oct/2000] "POST /b" 404'''
pattern = re.compile(r'^(?P<ip>[\\d.]+).*"(?P<verb>\\w+) (?P<path>\\S+)" (?P<code>\\d+)$', re.M)
# %%
[m.groupdict() for m in pattern.finditer(LOG)]
# %%
re.sub(r'\\s+', ' ', 'a   b\\tc')
""",
    ),
    "dates": notebook(
        """
# %%
from datetime import datetime, timedelta
import calendar
d = datetime(2024, 2, 28)
(d + timedelta(days=1)).isoformat(), calendar.isleap(d.year)
# %%
datetime.strptime('03/04/21', '%d/%m/%y').strftime('%A %d %B')
""",
    ),
    "today": notebook(
        """
# %%
import datetime
print('Run at', datetime.datetime.now())
""",
        refused="datetime.datetime.now in code cell 1",
    ),
    "argparse-in-cell": notebook(
        """
# %%
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--n', type=int, default=3)
args = parser.parse_args([])
print(args.n * 2)
""",
    ),
    "argparse-of-kernel": notebook(
        """
# %%
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--n', type=int, default=3)
args = parser.parse_args()
""",
        refused="SystemExit",
    ),
    "input": notebook(
        """
# %%
n = int(input('How many? '))
print(n)
""",
        refused="give the answer to a variable that can be a parameter",
    ),
    "exit-early": notebook(
        """
# %%
import sys
print('checking')
# %%
sys.exit(0)
# %%
print('never')
""",
    ),
    "recursion-memo": notebook(
        """
# %%
memo = {}
def collatz(n):
    if n in memo: return memo[n]
    if n == 1: return 0
    memo[n] = 1 + collatz(n // 2 if n % 2 == 0 else 3*n + 1)
    return memo[n]
max(range(1, 50), key=collatz)
""",
    ),
    "typed": notebook(
        """
# %%
from __future__ import annotations
from dataclasses import dataclass, field
from typing import Iterable, Callable, Any, TypeVar
T = TypeVar('T')
# %%
@dataclass(order=True)
class Job:
    priority: int
    tags: list[str] = field(default_factory=list, compare=False)
# %%
def first(items: Iterable[T], test: Callable[[T], bool] = bool) -> T | None:
    for item in items:
        if test(item):
            return item
    return None
first([0, 3, 4]), sorted([Job(2), Job(1)])
""",
        contains=("class Job",),
    ),
    "matrix-by-hand": notebook(
        """
# %%
A = [[1, 2],
     [3, 4]]
B = [[0,1],[1,0]]
def matmul(A, B):
    return [[sum(a*b for a,b in zip(r, c)) for c in zip(*B)] for r in A]
matmul(A, B)
# %%
for r in matmul(A,B):
    print (r)
""",
        contains=("def matmul",),
    ),
}
