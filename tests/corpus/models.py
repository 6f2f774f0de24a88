"""Notebooks about models, chance and figures."""

from __future__ import annotations

from tests.promotion_kinds import Kind, notebook

NOTEBOOKS: dict[str, Kind] = {
    "iris-classifier": notebook(
        """
# %%
import numpy as np
import matplotlib.pyplot as plt
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
# %%
iris = load_iris()
X_train, X_test, y_train, y_test = train_test_split(iris['data'], iris['target'], random_state=0)
# %%
knn = KNeighborsClassifier(n_neighbors=1)
knn.fit(X_train, y_train)
# %%
print("Test set score: {:.2f}".format(knn.score(X_test, y_test)))
# %%
X_new = np.array([[5, 2.9, 1, 0.2]])
print("Predicted target name: {}".format(iris['target_names'][knn.predict(X_new)]))
""",
    ),
    "pipeline-grid": notebook(
        """
# %%
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import joblib
# %%
RANDOM_STATE = 42
N_SAMPLES = 60
X, y = make_classification(n_samples=N_SAMPLES, random_state=RANDOM_STATE)
# %%
grid = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()),
                    {'logisticregression__C': [0.1, 1]}, cv=3)
grid.fit(X, y); print(grid.best_params_, round(grid.best_score_, 3))
# %%
joblib.dump(grid.best_estimator_, 'best.pkl')
""",
        contains=("RANDOM_STATE: 42", "N_SAMPLES: 60"),
    ),
    "unseeded-split": notebook(
        """
# %%
import numpy as np
from sklearn.model_selection import train_test_split
a, b = train_test_split(np.arange(50))
print(a[:5])
""",
        refused="train_test_split in code cell 1",
    ),
    "unseeded-forest": notebook(
        """
# %%
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor
X, y = make_regression(n_samples=40, random_state=1)
# %%
rf = RandomForestRegressor(n_estimators=5).fit(X, y)
print(rf.predict(X[:2]))
""",
        refused="RandomForestRegressor in code cell 2",
    ),
    "seeded-forest": notebook(
        """
# %%
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor
X, y = make_regression(n_samples=40, random_state=1)
# %%
rf = RandomForestRegressor(n_estimators=5).fit(X, y)
print(rf.predict(X[:2]))
""",
        options=("--seed", "1"),
        contains=("seed: 1",),
    ),
    "shuffle-unseeded": notebook(
        """
# %%
import random
deck = list(range(52))
random.shuffle(deck)
print(deck[:5])
""",
        refused="random.shuffle in code cell 1",
    ),
    "random-default": notebook(
        """
# %%
import numpy as np
rng = np.random.default_rng()
print(rng.normal(size=3))
""",
        refused="np.random.default_rng in code cell 1",
    ),
    "random-seeded": notebook(
        """
# %%
import numpy as np
rng = np.random.default_rng(2024)
walk = rng.choice([-1, 1], size=50).cumsum()
walk[-1]
# %%
np.save('walk.npy', walk)
""",
    ),
    "monte-carlo": notebook(
        """
# %%
import random
random.seed(0)
N = 1000
def inside():
    x, y = random.random(), random.random()
    return x*x + y*y <= 1
# %%
pi = 4*sum(inside() for _ in range(N))/N
print(f'{pi=:.3f}')
""",
        contains=("N: 1000",),
    ),
    "uuid": notebook(
        """
# %%
import uuid
print(uuid.uuid4())
""",
        refused="uuid.uuid4 in code cell 1",
    ),
    "set-order": notebook(
        """
# %%
words = {'apple', 'pear', 'plum', 'fig', 'date', 'lime'}
print(list(words))
""",
        refused="another result in each run: \"['",
    ),
    "scipy-draws": notebook(
        """
# %%
from scipy import stats
heights = stats.norm.rvs(loc=170, scale=8, size=5)
print(heights.round(1))
""",
        options=("--seed", "5"),
        dependencies=("scipy",),
        contains=("seed: 5",),
    ),
    "generator-inside": notebook(
        """
# %%
from scipy.stats import qmc
# %%
points = qmc.Sobol(d=2).random(4)
print(points)
""",
        dependencies=("scipy",),
        refused="in code cell 2; is a seed missing",
    ),
    "object-addresses": notebook(
        """
# %%
class Plain:
    pass
print(Plain(), object())
""",
    ),
    "gradient-descent": notebook(
        """
# %%
import numpy as np
np.random.seed(1)
X = np.random.randn(20, 2); w_true = np.array([1., -2.])
y = X.dot(w_true)
# %%
learning_rate = 0.1
n_iter = 20
w = np.zeros(2)
history = []
for i in range(n_iter):
    err = X @ w - y
    w -= learning_rate * X.T @ err / len(y)
    history.append((err**2).mean())
print(w.round(2), history[-1] < history[0])
""",
        contains=("learning_rate: 0.1", "n_iter: 20"),
    ),
    "tiny-network": notebook(
        """
# %%
import numpy as np
class Layer:
    def __init__(self, n_in, n_out, rng):
        self.W = rng.normal(size=(n_in, n_out))
    def __call__(self, x):
        return np.maximum(x @ self.W, 0)
class Net:
    def __init__(self, sizes, seed=0):
        rng = np.random.default_rng(seed)
        self.layers = [Layer(a, b, rng) for a, b in zip(sizes, sizes[1:])]
    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
# %%
Net([3, 4, 2])(np.ones(3)).shape
""",
        contains=("class Net",),
    ),
    "scipy-optimise": notebook(
        """
# %%
import numpy as np
from scipy import stats, optimize
from scipy.optimize import curve_fit
def line(x, a, b): return a*x + b
xs = np.arange(5.)
popt, pcov = curve_fit(line, xs, 2*xs + 1)
popt.round(3)
# %%
stats.ttest_ind([1, 2, 3], [2, 3, 4]).pvalue.round(4)
""",
        dependencies=("scipy",),
    ),
    "confusion-matrix": notebook(
        """
# %%
import itertools
import numpy as np
import matplotlib.pyplot as plt
from sklearn.metrics import confusion_matrix, classification_report
%matplotlib inline
# %%
def plot_confusion_matrix(cm, classes, normalize=False, title='Confusion', cmap=plt.cm.Blues):
    \"\"\"
    This function prints and plots the confusion matrix.
    \"\"\"
    plt.imshow(cm, interpolation='nearest', cmap=cmap)
    plt.title(title)
    thresh = cm.max() / 2.
    for i, j in itertools.product(range(cm.shape[0]), range(cm.shape[1])):
        plt.text(j, i, cm[i, j], color="white" if cm[i, j] > thresh else "black")
    plt.tight_layout()
# %%
y_true = [0, 1, 1, 0]; y_pred = [0, 1, 0, 0]
plot_confusion_matrix(confusion_matrix(y_true, y_pred), ['a', 'b'])
plt.savefig('confusion.png', dpi=50)
print(classification_report(y_true, y_pred))
""",
        contains=("def plot_confusion_matrix",),
    ),
    "subplots": notebook(
        """
# %%
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
x = np.linspace(0, 2 * np.pi, 30)
fig, axes = plt.subplots(2, 2, sharex=True, figsize=(4, 3))
for ax, k in zip(axes.flat, range(1, 5)):
    ax.plot(x, np.sin(k * x)); ax.set_title('k=%d' % k)
plt.tight_layout()
plt.savefig('waves.svg'); plt.close('all')
""",
    ),
    "pandas-plots": notebook(
        """
# %%
import pandas as pd
import matplotlib.pyplot as plt
df = pd.read_csv("../../data/raw/prices.csv")
df.hist(figsize=(4, 3)); plt.savefig("../../reports/figures/hist.png")
# %%
ax = df.boxplot('price', by='district')
ax.figure.savefig('../../reports/figures/box.png', bbox_inches='tight')
# %%
df.plot.scatter(x='area', y='price')
plt.show()
""",
    ),
    "animation": notebook(
        """
# %%
import matplotlib.pyplot as plt
from matplotlib import animation
from IPython.display import HTML
fig, ax = plt.subplots(figsize=(1, 1))
(line,) = ax.plot([], [])
def update(i):
    line.set_data([0, i], [0, i])
    return (line,)
anim = animation.FuncAnimation(fig, update, frames=2)
# %%
len(anim.to_jshtml()) > 1000
""",
    ),
    "metrics-json": notebook(
        """
# %%
import json
from pathlib import Path
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
# regularisation
ALPHA = 1.0
TARGET = "target"
X, y = load_diabetes(return_X_y=True, as_frame=True)
model = Ridge(alpha=ALPHA).fit(X, y)
# %%
Path('metrics.json').write_text(json.dumps({'r2': model.score(X, y)}))
""",
        contains=("ALPHA: 1.0", "reports/metrics/metrics.json"),
    ),
    "names-in-texts": notebook(
        """
# %%
import math
import pandas as pd
t = pd.DataFrame({'a': [1, 4, 9], 'b': [2, 3, 4]})
# %%
def double(x):
    return 2 * x
# %%
print(eval("math.sqrt(t.a.max()) + double(3)"))
# %%
env = 2
t.query('b > @env')
""",
        contains=("import math", "def double(x)", "# Parameters"),
    ),
    "coefficients": notebook(
        """
# %%
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.tree import DecisionTreeClassifier, export_text
wine = load_wine(as_frame=True)
tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(wine.data, wine.target)
print(export_text(tree, feature_names=list(wine.data.columns)))
# %%
pd.Series(tree.feature_importances_, wine.data.columns).nlargest(3).to_frame('importance')
""",
    ),
    "clusters": notebook(
        """
# %%
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.datasets import make_blobs
X, _ = make_blobs(n_samples=30, centers=3, random_state=5)
km = KMeans(n_clusters=3, n_init=2, random_state=5).fit(X)
sorted(int((km.labels_ == k).sum()) for k in range(3))
# %%
PCA(2).fit_transform(X).shape
""",
    ),
    "word-count": notebook(
        """
# %%
from sklearn.feature_extraction.text import CountVectorizer
STOP_WORDS = ['the', 'of']
docs = ["the cat sat", "the mat of the cat"]
cv = CountVectorizer(stop_words=STOP_WORDS)
cv.fit_transform(docs).toarray(), cv.get_feature_names_out()
""",
    ),
    "warnings-off": notebook(
        """
# %%
import warnings
warnings.filterwarnings('ignore')
import numpy as np
np.log(np.array([0.0]))
# %%
warnings.warn('seen on stderr only')
""",
    ),
    "parallel": notebook(
        """
# %%
from joblib import Parallel, delayed
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
Parallel(n_jobs=1)(delayed(sqrt)(i) for i in range(4))
# %%
with ThreadPoolExecutor(2) as pool:
    print(list(pool.map(sqrt, [1, 4])))
""",
    ),
    "missing-library": notebook(
        """
# %%
import tensorflow as tf
from tensorflow import keras
model = keras.Sequential()
""",
        refused="the environment has no module tensorflow",
    ),
}
