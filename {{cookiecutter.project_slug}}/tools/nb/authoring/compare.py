"""Comparison of two output files by content: values, pixels, predictions of models and so on.

The comparison runs in the project's environment and reads files with the project's libraries; a
file in an unknown format is compared byte by byte.
"""

from __future__ import annotations

import filecmp
import gzip
import math
import re
import sqlite3
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from nb.project import parse_json
from nb.wording import shortened

if TYPE_CHECKING:
    import pandas as pd

# Relative: sums of the same numbers in another order differ by less.
TOLERANCE = 1e-9
ROWS_FOR_PREDICTION = 50
# The time of drawing, and names by chance, in drawings by matplotlib and others.
_DRAWN_ANEW = re.compile(
    rb"/(?:Creation|Mod)Date ?\([^)]*\)|/ID ?\[[^]]*\]|<dc:date>[^<]*</dc:date>|"
    rb"%%CreationDate:[^\n]*|\b[a-z][0-9a-f]{10}\b"
)


def difference(old: Path, new: Path) -> str:
    """Return the difference between two files, in words; empty if their contents are equal."""
    if not new.exists():
        return "it was not written"
    if filecmp.cmp(old, new, shallow=False):
        return ""
    _, compare = _COMPARISONS.get(old.suffix.lower(), ("", None))
    if compare is None:
        return f"other bytes ({old.stat().st_size} and {new.stat().st_size})"
    try:
        return compare(old, new)
    except Exception as error:  # each library has errors of its own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        return f"other bytes, and it cannot be read to compare values ({reason})"


def comparison_method(path: Path) -> str:
    """Return the method of comparison for this kind of file, in words."""
    suffix = path.suffix.lower()
    return _COMPARISONS[suffix][0] if suffix in _COMPARISONS else "bytes"


def _tables(read: str) -> Callable[[Path, Path], str]:
    def compare(old: Path, new: Path) -> str:
        import pandas as pd

        reader = getattr(pd, read)
        return tables_differ(reader(old), reader(new))

    return compare


def tables_differ(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """Return the difference between two pandas tables; empty if they are equal."""
    if list(old.columns) != list(new.columns):
        return _columns_differ(list(old.columns), list(new.columns))
    if len(old) != len(new):
        return f"{len(old)} rows became {len(new)}"
    if not old.index.equals(new.index):
        return "the index differs"
    for position, name in enumerate(old.columns):
        left, right = old.iloc[:, position], new.iloc[:, position]
        if left.dtype != right.dtype:
            return f"column {name}: {left.dtype} became {right.dtype}"
        pairs = list(zip(left.tolist(), right.tolist(), strict=True))
        wrong = [(a, b) for a, b in pairs if values_differ(a, b)]
        if wrong:
            example = f"{_shown(wrong[0][0])} became {_shown(wrong[0][1])}"
            return f"column {name}: {len(wrong)} of {len(pairs)} values, as {example}"
    return ""


def _columns_differ(old: Sequence[object], new: Sequence[object]) -> str:
    gone, added = [n for n in old if n not in new], [n for n in new if n not in old]
    parts = {"without": gone, "with the new": added}
    words = [f"{word} {_shown(names)}" for word, names in parts.items() if names]
    return f"its columns: {', '.join(words) or 'in another order'}"


def _json(old: Path, new: Path) -> str:
    texts = (path.read_text(encoding="utf-8") for path in (old, new))
    return values_differ(*map(parse_json, texts))


def values_differ(old: object, new: object, place: str = "") -> str:
    """Return the place where two nested values differ beyond the tolerance; empty if nowhere."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if old.keys() != new.keys():
            return f"{place or 'it'} has other keys"
        pairs = [(f"{place}.{key}".lstrip("."), old[key], new[key]) for key in old]
    elif _is_list(old) and _is_list(new):
        if len(old) != len(new):
            return f"{place or 'it'}: {len(old)} values became {len(new)}"
        pairs = [(f"{place}[{n}]", *both) for n, both in enumerate(zip(old, new, strict=True))]
    elif is_number(old) and is_number(new):
        same = math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=1e-12)
        same = same or (math.isnan(old) and math.isnan(new))
        return "" if same else f"{place or 'it'}: {_shown(old)} became {_shown(new)}"
    else:
        same = type(old) is type(new) and bool(old == new or (old != old and new != new))
        return "" if same else f"{place or 'it'}: {_shown(old)} became {_shown(new)}"
    return next((found for p, a, b in pairs if (found := values_differ(a, b, p))), "")


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return shortened(repr(value))


def _images(old: Path, new: Path) -> str:
    from matplotlib import image

    left, right = image.imread(old), image.imread(new)
    if left.shape != right.shape:
        sizes = [f"{i.shape[1]}x{i.shape[0]}" for i in (left, right)]
        return f"{sizes[0]} pixels became {sizes[1]}"
    differs = left != right
    count = int((differs.any(axis=-1) if differs.ndim == 3 else differs).sum())
    return f"{count} of {left.shape[0] * left.shape[1]} pixels" if count else ""


def _drawings(old: Path, new: Path) -> str:
    left, right = (_DRAWN_ANEW.sub(b"", path.read_bytes()) for path in (old, new))
    return "" if left == right else "another drawing"


def _compressed(old: Path, new: Path) -> str:
    left, right = (gzip.decompress(path.read_bytes()) for path in (old, new))
    return "" if left == right else "other content"


def _archives(old: Path, new: Path) -> str:
    contents = []
    for path in (old, new):
        with zipfile.ZipFile(path) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist()})
    left, right = contents
    other = sorted(name for name in left.keys() | right if left.get(name) != right.get(name))
    return f"it has another {other[0]}" if other else ""


def _arrays(old: Path, new: Path) -> str:
    import numpy as np

    left, right = np.load(old, allow_pickle=True), np.load(new, allow_pickle=True)
    if isinstance(left, np.ndarray):
        return objects_differ(left, right)
    if sorted(left.files) != sorted(right.files):
        return "it holds other arrays"
    found = (objects_differ(left[name], right[name]) for name in left.files)
    return next(filter(None, found), "")


def _pickles(old: Path, new: Path) -> str:
    import joblib  # reads plain pickles, too

    return objects_differ(joblib.load(old), joblib.load(new))


def objects_differ(old: object, new: Any) -> str:
    """Return the difference between two Python objects: tables, arrays, models, containers."""
    if f"{type(old).__module__}.{type(old).__qualname__}" != (
        f"{type(new).__module__}.{type(new).__qualname__}"
    ) and not type(old).__module__.startswith("__main__"):
        return f"{type(old).__name__} became {type(new).__name__}"
    if hasattr(old, "columns") and hasattr(old, "iloc"):
        return tables_differ(old, new)
    if hasattr(old, "to_frame"):
        return tables_differ(old.to_frame(), new.to_frame())
    if hasattr(old, "predict"):
        return _predictions(old, new)
    if hasattr(old, "tolist"):
        same = getattr(old, "dtype", None) == getattr(new, "dtype", None)
        return values_differ(old.tolist(), new.tolist()) if same else "its type differs"
    if isinstance(old, Mapping) and old.keys() == new.keys():
        return next((f"{k}: {d}" for k in old if (d := objects_differ(old[k], new[k]))), "")
    if _is_list(old) and len(old) == len(new):
        pairs = zip(old, new, strict=True)
        return next((d for a, b in pairs if (d := objects_differ(a, b))), "")
    found = values_differ(old, new)
    if found and hasattr(old, "__dict__"):  # without __eq__, Python compares identity
        return objects_differ(vars(old), vars(new))
    return found


def _predictions(old: object, new: object) -> str:
    """Compare the predictions of two models for the same random rows."""
    import numpy as np

    count = getattr(old, "n_features_in_", None)
    if count != getattr(new, "n_features_in_", None):
        return "it takes another number of columns"
    if count is None:
        return "the model cannot be asked: it does not say how many columns it takes"
    rows = np.random.default_rng(0).normal(size=(ROWS_FOR_PREDICTION, count))
    names = getattr(old, "feature_names_in_", None)
    if names is not None:
        import pandas as pd

        rows = pd.DataFrame(rows, columns=list(names))
    ask = "predict_proba" if hasattr(old, "predict_proba") else "predict"
    answers = (np.asarray(getattr(model, ask)(rows)).tolist() for model in (old, new))
    return "its predictions differ" if values_differ(*answers) else ""


def _sqlite(old: Path, new: Path) -> str:
    dumps = []
    for path in (old, new):
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        dumps.append(list(database.iterdump()))
        database.close()
    return "" if dumps[0] == dumps[1] else "its tables differ"


def _duckdb(old: Path, new: Path) -> str:
    import duckdb

    tables: list[object] = []
    for path in (old, new):
        with duckdb.connect(str(path), read_only=True) as database:
            names = sorted(row[0] for row in database.sql("show tables").fetchall())
            tables.append({n: database.sql(f'select * from "{n}"').fetchall() for n in names})
    return values_differ(tables[0], tables[1])


def _databases(old: Path, new: Path) -> str:
    is_sqlite = old.read_bytes()[:15] == b"SQLite format 3"
    return _sqlite(old, new) if is_sqlite else _duckdb(old, new)


# By suffix: the values that are compared, in words, and the comparison.
_COMPARISONS: dict[str, tuple[str, Callable[[Path, Path], str]]] = {
    ".csv": ("values", _tables("read_csv")),
    ".tsv": ("values", _tables("read_table")),
    ".parquet": ("values", _tables("read_parquet")),
    ".feather": ("values", _tables("read_feather")),
    ".xlsx": ("values", _tables("read_excel")),
    ".json": ("values", _json),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff"), ("pixels", _images)),
    **dict.fromkeys((".eps", ".pdf", ".ps", ".svg"), ("drawings without their dates", _drawings)),
    ".gz": ("content", _compressed),
    ".zip": ("content", _archives),
    **dict.fromkeys((".npy", ".npz"), ("values", _arrays)),
    **dict.fromkeys((".joblib", ".pkl", ".pickle"), ("predictions or values", _pickles)),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb"), ("tables", _databases)),
}
