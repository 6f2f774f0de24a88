"""Notebooks about tables: the exercises, tutorials and reports that most public notebooks are."""

from __future__ import annotations

from tests.promotion_kinds import Kind, notebook

IRIS = (
    "sepal,petal,species\n5.1,1.4,setosa\n7.0,4.7,versicolor\n6.3,6.0,virginica\n4.9,1.5,setosa\n"
)
TITANIC = (
    "PassengerId,Survived,Pclass,Name,Sex,Age,Fare\n"
    '1,0,3,"Braund, Mr. Owen",male,22,7.25\n'
    '2,1,1,"Cumings, Mrs. John",female,38,71.2833\n'
    '3,1,3,"Heikkinen, Miss. Laina",female,,7.925\n'
    '4,0,2,"Allen, Mr. William",male,35,13.0\n'
)
STOCKS = "date,close,volume\n" + "".join(
    f"2020-01-{day:02},{100 + day * 1.5},{day * 10}\n" for day in range(1, 29)
)

NOTEBOOKS: dict[str, Kind] = {
    "pandas-exercise": notebook(
        """
# %% [markdown]
# Ex1 - Filtering and Sorting Data
#
# ### Step 1. Import the necessary libraries
# %%
import pandas as pd
# %% [markdown]
# ### Step 2. Import the dataset from this [address](https://example.org/chipotle.tsv).
# %%
chipo = pd.read_csv('chipotle.tsv', sep = '\\t')
# %%
prices = [float(value[1 : -1]) for value in chipo.item_price]
chipo.item_price = prices
# %%
chipo.query('item_price > 2')[['item_name','item_price']].drop_duplicates()
# %%
chipo.sort_values(by = "item_price", ascending = False).head(1)
# %%
len(chipo[chipo.item_name == "Izze"])
""",
        beside={"chipotle.tsv": "item_name\titem_price\nIzze\t$3.39 \nBowl\t$16.98 \n"},
    ),
    "titanic-eda": notebook(
        """
# %% [markdown]
# # Titanic: Machine Learning from Disaster
# *by me, for fun*
# %%
import numpy as np
import pandas as pd
import os
for dirname, _, filenames in os.walk('/kaggle/input'):
    for filename in filenames:
        print(os.path.join(dirname, filename))
# %%
train = pd.read_csv("train.csv")
train.isnull().sum()
# %%
train['Age'].fillna(train['Age'].median()) .describe()
# %%
train['Title'] = train.Name.str.extract(' ([A-Za-z]+)\\\\.', expand=False)
pd.crosstab(train['Title'], train['Sex'])
# %%
def process_age(df, cut_points, label_names):
    df["Age"] = df["Age"].fillna(-0.5)
    df["Age_categories"] = pd.cut(df["Age"], cut_points, labels=label_names)
    return df

cut_points = [-1,0, 18, 100]
label_names = ["Missing","Child", "Adult"]
train = process_age(train,cut_points,label_names)
# %%
train.to_csv('train_clean.csv', index=False)
""",
        beside={"train.csv": TITANIC},
        contains=("def process_age", "cut_points: [-1, 0, 18, 100]"),
    ),
    "groupby-apply": notebook(
        """
# %%
import pandas as pd
df = pd.read_csv('../../data/raw/prices.csv')
# %%
def demean(arr):
    return arr - arr.mean()
df.groupby('district')['price'].transform(demean)
# %%
df.groupby('district').agg({'price': ['mean', 'std'], 'area': lambda x: x.max() - x.min()})
# %%
df.groupby(pd.cut(df.area, 3), observed=True)['price'].apply(lambda s: s.dropna().tolist())
""",
        contains=("def demean",),
    ),
    "multi-index": notebook(
        """
# %%
import pandas as pd, numpy as np
index = pd.MultiIndex.from_product([['a', 'b'], [1, 2]], names=['key', 'n'])
s = pd.Series(np.arange(4), index=index)
# %%
s.unstack()
# %%
df = s.unstack().stack().reset_index(name='value')
df
# %%
df.set_index(['key', 'n']).loc[('a', 2)]
# %%
df.to_parquet('../../data/interim/multi-index.parquet')
"""
    ),
    "pivot-melt": notebook(
        """
# %%
from pandas import DataFrame, pivot_table, melt
wide = DataFrame({'id': [1, 2], 'jan': [3, 4], 'feb': [5, 6]})
# %%
long = melt(wide, id_vars='id', var_name='month', value_name='n')
long
# %%
pivot_table(long, index='id', columns='month', values='n', aggfunc='sum')
"""
    ),
    "merge-join": notebook(
        """
# %%
import pandas as pd
from pandas import DataFrame
users = DataFrame([[1,'ann'],[2,'bo']],columns=['user_id','name'])
orders = DataFrame([[10,1,5.0],[11,1,7.5],[12,3,1.0]],columns=['order_id','user_id','total'])
# %%
pd.merge(users,orders,how='outer',on='user_id',indicator=True)
# %%
users.join(orders.set_index('user_id'),on='user_id').dropna()
# %%
assert len(orders.merge(users)) == 2, 'two orders of known users'
"""
    ),
    "time-series": notebook(
        """
# %%
import pandas as pd
import matplotlib.pyplot as plt
%matplotlib inline
plt.style.use('ggplot')
plt.rcParams['figure.figsize'] = (12, 5)
# %%
stock = pd.read_csv('stocks.csv', parse_dates=['date'], index_col='date')
stock.index
# %%
WINDOW = 5
START_DATE = '2020-01-05'
stock['rolling'] = stock.close.rolling(WINDOW).mean()
stock[START_DATE:].plot(y=['close', 'rolling'])
# %%
stock.resample('W').last().to_csv('weekly.csv')
""",
        beside={"stocks.csv": STOCKS},
        contains=("WINDOW: 5", "START_DATE: str"),
    ),
    "returns": notebook(
        """
# %%
import pandas as pd
import numpy as np
prices = pd.read_csv("prices_by_day.csv", index_col=0, parse_dates=True)
# %%
log_ret = np.log(prices.close/prices.close.shift(1)).dropna()
annual = log_ret.mean()*252, log_ret.std()*np.sqrt(252)
print("mean %.4f, sd %.4f" % annual)
# %%
def sharpe(returns, rf=0.0, periods=252):
    '''Annualised Sharpe ratio.

    >>> sharpe(returns) # doctest: +SKIP
    '''
    return np.sqrt(periods)*(returns.mean()-rf)/returns.std()
sharpe(log_ret)
""",
        beside={"prices_by_day.csv": STOCKS},
        contains=("def sharpe",),
    ),
    "string-methods": notebook(
        """
# %%
import pandas as pd
pd.set_option('display.max_rows', 10)
pd.options.display.float_format = '{:.2f}'.format
# %%
names = pd.Series([' Ann Lee', 'bo yu ', None])
names.str.strip().str.title()
# %%
names.str.contains('ee', na=False)
# %%
names.str.split(expand=True)
"""
    ),
    "categories": notebook(
        """
# %%
import pandas as pd
from pandas.api.types import CategoricalDtype
df = pd.read_csv('iris.csv')
# %%
order = CategoricalDtype(categories=['setosa','versicolor','virginica'], ordered=True)
df['species'] = df['species'].astype(order)
df.species.cat.codes.tolist()
# %%
pd.get_dummies(df, columns=['species']).head(2)
# %%
df[df.species >= 'versicolor']
""",
        beside={"iris.csv": IRIS},
    ),
    "missing-values": notebook(
        """
# %%
import numpy as np
import pandas as pd
df = pd.DataFrame({'a': [1, np.nan, 3], 'b': [np.nan, np.nan, 1.]})
# %%
df.isna().mean().round(2)
# %%
df.ffill()
# %%
imputed = df.fillna(df.mean())
imputed
# %%
imputed.to_pickle('imputed.pkl')
"""
    ),
    "outliers": notebook(
        """
# %%
import pandas as pd
data = pd.read_csv('../../data/raw/prices.csv')
# %%
FACTOR = 1.5
def outliers(x):
    q1, q3 = x.quantile(.25), x.quantile(.75)
    return (x < q1 - FACTOR*(q3-q1)) | (x > q3 + FACTOR*(q3-q1))
# %%
mask = outliers(data['price'])
print(f"{mask.sum()} outliers of {len(data)} ({mask.mean():.1%})")
# %%
data[~mask].to_csv('../../data/interim/without-outliers.csv', index=None)
""",
        contains=("def outliers", "FACTOR: 1.5"),
    ),
    "styled": notebook(
        """
# %%
import pandas as pd
df = pd.read_csv('../../data/raw/prices.csv').head(4)
# %%
def highlight(v):
    return 'color: red' if v > 3 else ''
df.style.map(highlight, subset=['rooms']).format({'price': '{:,.0f}'})
""",
    ),
    "sql-in-pandas": notebook(
        """
# %%
import pandas as pd
import sqlite3
# %%
conn = sqlite3.connect('../../data/raw/people.db')
c = conn.cursor()
c.execute("SELECT name FROM sqlite_master WHERE type='table';")
print(c.fetchall())
# %%
q = '''
SELECT name, COUNT(*) AS n
FROM people
GROUP BY 1
'''
pd.read_sql_query(q, conn).to_csv('../../data/processed/counts.csv')
conn.close()
"""
    ),
    "memory-database": notebook(
        """
# %%
import sqlite3
db = sqlite3.connect(':memory:')
db.executescript('create table t (x int); insert into t values (1), (2);')
# %%
db.execute('select sum(x) from t').fetchone()
"""
    ),
    "excel-dates": notebook(
        """
# %%
import pandas as pd
import datetime as dt
REPORT_DAY = dt.date(2023, 5, 17)
# %%
def excel_day(serial):
    return dt.date(1899, 12, 30) + dt.timedelta(days=int(serial))
excel_day(45000)
# %%
(REPORT_DAY - excel_day(45000)).days
# %%
pd.date_range(REPORT_DAY, periods=3, freq='MS').strftime('%d.%m.%Y').tolist()
"""
    ),
    "numpy-tutorial": notebook(
        """
# %%
import numpy as np
a = np.arange(15).reshape(3, 5)
a
# %%
a.shape, a.ndim, a.dtype.name
# %%
a[a > 7] = 0; a
# %%
a.T @ a
# %%
np.linalg.norm(a, axis=1).round(3)
# %%
b = np.zeros((2,3)); b += 1; print(b)
"""
    ),
    "broadcasting": notebook(
        """
# %%
from numpy import *
x = linspace(0, 1, 5)
y = x[:, newaxis]
print(sum(x * y), max(x), round(3.7))
# %%
sqrt(abs(-4))
"""
    ),
    "pylab": notebook(
        """
# %%
%pylab inline
# %%
x = linspace(0, 2*pi, 20)
plot(x, sin(x))
title('pylab')
""",
    ),
    "chained": notebook(
        """
# %%
import pandas as pd
(
    pd.read_csv("../../data/raw/prices.csv")
      .rename(columns=str.upper)
      .assign(PPM=lambda d: d.PRICE / d.AREA)
      .loc[lambda d: d.AREA > 0]
      .groupby("DISTRICT", as_index=False)
      .PPM.mean()
      .sort_values("PPM")
      .to_json("../../data/processed/chained.json", orient="records")
)
"""
    ),
    "iterate-rows": notebook(
        """
# %%
import pandas as pd
df = pd.read_csv('../../data/raw/prices.csv')
# %%
total = 0
for i in range(len(df)):
    if df.iloc[i]['price'] > 200:
        total = total + df.iloc[i]['rooms']
for idx, row in df.iterrows():
    pass
for row in df.itertuples():
    if row.rooms == 5: break
print(total, idx, row.Index)
"""
    ),
    "describe-all": notebook(
        """
# %%
import pandas as pd
df = pd.read_csv('../../data/raw/prices.csv'); df.head()
# %%
df.info()
# %%
df.describe(include='all').T
# %%
df['district'].value_counts(normalize=True).mul(100).round(1).astype(str) + '%'
# %%
df.corr(numeric_only=True)
"""
    ),
}
