"""Credentials are found and masked wherever they stand; ordinary text is left alone.

A matrix of kinds and places. `test_a_run_leaves_no_credential` in tests/test_execute.py is the same
through the engine.
"""

from __future__ import annotations

import base64
import html
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.git import credentials
from nb.secrets import columns
from nb.secrets.environment import environment_secrets
from nb.secrets.mask import Mask
from nb.secrets.masked_file import MaskedFile
from nb.secrets.search import find_secrets
from secret_kinds import HEX, KINDS, some

TEMPLATE = Path(__file__).parents[2]
GREEN = "\x1b[38;5;28m"
PLACES: dict[str, Callable[[str], Any]] = {
    "stream": lambda text: {
        "output_type": "stream",
        "name": "stdout",
        "text": f"got {text}\n",
    },
    "html": lambda text: {"data": {"text/html": f"<td>1</td><td>{html.escape(text)}</td>"}},
    "markdown": lambda text: {"data": {"text/markdown": f"**it**: `{text}`"}},
    "json": lambda text: {"data": {"application/json": {"rows": [{"x": text}, {"x": 1}]}}},
    "json lines": lambda text: {"data": {"application/json": ["a", text, "b"]}},
    "json in text": lambda text: {"text": json.dumps({"all": [text]})},
    "json in json": lambda text: {"text": json.dumps(json.dumps({"all": [text]}))},
    "repr": lambda text: {"data": {"text/plain": repr({"x": text})}},
    "vega": lambda text: {"data": {"application/vnd.vega.v5+json": {"data": {"values": [text]}}}},
    "metadata of an output": lambda text: {"metadata": {"note": text}},
    "attachment": lambda text: {"attachments": {"a.txt": {"text/plain": text}}},
    "source": lambda text: {"source": [f"{line}\n" for line in text.split("\n")]},
    "error": lambda text: {
        "evalue": text,
        "traceback": [f"{GREEN}E{GREEN}", f"ValueError: {text}"],
    },
    "traceback by line": lambda text: {"traceback": [f"  {line}" for line in text.split("\n")]},
    "parameters": lambda text: {"papermill": {"parameters": {"url": text}}},
    "key": lambda text: {text: 1},
    "long line": lambda text: {"text": "x, " * 5_000 + text + " ,y" * 5_000},
    "colors": lambda text: {"text": f"{GREEN}{text}\x1b[39m"},
}


def readable(secret: str, text: str) -> list[str]:
    """Return the parts of a secret, eight characters each, that a text shows."""
    return [s for i in range(len(secret) - 7) if (s := secret[i : i + 8]) in text]


@pytest.mark.parametrize("place", PLACES)
def test_no_kind_of_credential_is_readable_in_any_place(place: str) -> None:
    mask = Mask({})
    for kind, (text, secret) in KINDS.items():
        masked = json.dumps(mask.tree(PLACES[place](text)))
        assert "[credential removed]" in masked, kind
        assert not readable(secret, masked), kind
        assert json.dumps(mask.tree(json.loads(masked))) == masked, kind


@pytest.mark.parametrize(
    "table",
    [
        "user,password\nanna,{0}\n",
        "user;api_token\nanna;{0}\nben;{0}\n",
        "| user | token |\n|---|---|\n| anna | {0} |\n",
        "   user         password\n0  anna {0}\n1   ben {0}\n",
        "<tr><th></th><th>secret</th></tr>\n<tr>\n<th>0</th>\n<td>{0}</td></tr>"
        "<tr><th>1</th><td>{0}</td></tr>",
    ],
)
@pytest.mark.parametrize("lines", [False, True])
def test_a_column_of_secrets_is_masked(table: str, lines: bool) -> None:
    secret = some("column", 16)
    text = table.format(secret)
    masked = Mask({}).tree({"data": {"x": text.splitlines(keepends=True) if lines else text}})
    assert not readable(secret, json.dumps(masked))


def test_the_text_of_a_widget_is_masked_by_the_description() -> None:
    secret = some("widget", 14)
    state = {
        "model_name": "PasswordModel",
        "state": {"description": "Password:", "value": secret},
    }
    assert not readable(secret, json.dumps(Mask({}).tree({"state": {"a": state}})))


@pytest.mark.parametrize(
    "line",
    ["password_strength: strong", "secret_name: prod/db", "password_type = ab3rer"],
)
def test_a_setting_about_a_secret_is_no_secret(line: str) -> None:
    assert credentials.find_in_file("a.yaml", f"{line}\n".encode()) == []


def test_a_value_under_a_name_is_masked_in_structured_data() -> None:
    value = some("structured", 14)
    for node in (
        {"config": {"dbPassword": value}},
        {"env": [{"name": "DB_PASSWORD", "value": value}]},
        {"data": {"application/json": {"client_secret": value}}},
    ):
        assert value not in json.dumps(Mask({}).tree(node))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_refused_at_commit(kind: str) -> None:
    text, _ = KINDS[kind]
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": "# Title", "metadata": {}},
        {"cell_type": "code", "source": "1", "metadata": {"note": text}, "outputs": []},
        {
            "cell_type": "code",
            "source": "1",
            "metadata": {},
            "outputs": [PLACES["error"](text)],
        },
        {
            "cell_type": "code",
            "source": "1",
            "metadata": {},
            "outputs": [PLACES["json"](text)],
        },
        {
            "cell_type": "markdown",
            "source": "",
            "metadata": {},
            **PLACES["attachment"](text),
        },
        {"cell_type": "code", "source": text, "metadata": {}, "outputs": []},
        {
            "cell_type": "code",
            "source": "",
            "outputs": [PLACES["metadata of an output"](text)],
        },
    ]
    notebook = json.dumps({"cells": cells, "metadata": {"nb": {"note": text}}}).encode()
    phrases = credentials.find_in_file("a.ipynb", notebook)
    found = {phrase.removeprefix("a.ipynb, ").split(":")[0] for phrase in phrases}
    below = "the text below code cell 3"
    assert found == {"metadata", below, *(f"code cell {n}" for n in range(1, 6))}
    place = credentials.find_in_file("notes.txt", f"a\n{text}\n".encode())[0].split(":")[1]
    assert 2 <= int(place) <= 2 + text.count("\n")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("config/a.yaml", "password: correcthorsebattery"),
        ("config/a.yml", "  db_password: correcthorsebattery"),
        (".env", "DB_PASSWORD=correcthorsebattery"),
        (".env.local", "DB_PASSWORD=correcthorsebattery"),
        ("a.ini", "password = correcthorsebattery"),
        ("a.cfg", "password = correcthorsebattery"),
        ("a.properties", "db.password=correcthorsebattery"),
    ],
)
def test_words_are_passwords_in_a_configuration_file(name: str, line: str) -> None:
    pytest.importorskip("detect_secrets", reason="a dependency of generated projects")
    content = f"# first\n\nname: x\n{line}\n".encode()
    assert credentials.find_in_file(name, content) == [f"{name}:4: Password"]
    allowed = f"{line}  # pragma: allowlist secret\n".encode()
    assert credentials.find_in_file(name, allowed) == []


ORDINARY = """\
password_strength = "very strong"
token_count = 128; max_tokens=256; pad_token="<pad>"; eos_token: '</s>'
fwd_pass = 'layer_12'; band_pass='0.1-40Hz'; pw = 'spearman'; pw=PowerTransformer()
session: 3f2504e0-4f89-11d3-9a0c-0305e82c3301; sessions_per_user=12.345678; session length=1234567
HTTPBasicAuth('user', 'password'); auth=(user, password); Client('tcp://scheduler:8786', n=4)
Client(project='my-long-project-name-for-data-science-2024'); x?code=US-2024&auth=none&sig=0.05
<b>api_key</b>=&lt;YOUR_API_KEY&gt;; | token | bert-base-uncased2 |; Signature=(a, b); zip(-p1, q2)
Passwort: mindestens 8 Zeichen; password_reset_at=2024-01-01T10:00:00Z; secret_id = 'projects/1/x'
tokenizer.add_special_tokens({"pad_token": "[PAD]", "sep_token": "[SEP]"})
password = getpass("Password for analyst: ")
api_key = os.environ["OPENAI_API_KEY"]; token = os.getenv("HF_TOKEN", "")
client = Client(api_key=config.api_key, token=self.token1, secret=settings["secret_1"])
password = password.encode("utf-8"); passphrase: BytesOrStr = None
key: value; sort_keys=True; key=lambda row: row["sort_key"]; primary_key = "customer_id"
columns: ["user", "password", "token", "secret", "api_key"]
{'token': 'Hello', 'secret': 'garden', 'tokens': ['Un', '##believ', '##able']}
export DB_PASSWORD=${DB_PASSWORD}; password: ${{ secrets.DB_PASSWORD }}; token: <your-token>
password = 'EnterYourOwnInfoHere'
PWD=/home/analyst/projects/biopsies-2; OLDPWD=/srv/data1/x2
password: required; token: string; Password: must be at least 8 characters
commit 8b9a5f5d1c0e4f7b6a3928170f5e4d3c2b1a0f9e (HEAD -> main)
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301, md5: d41d8cd98f00b204e9800998ecf8427e
doi:10.1016/j.neuroimage.2019.116189 https://doi.org/10.5281/zenodo.1234567?download=1
<Line2D at 0x7f3ec7661a90>, LogisticRegression(C=0.1, max_iter=1000), Pipeline(steps=[('a', B())])
http://localhost:8888/lab?email=someone@example.org git@github.com:org/repo.git s3://bucket/key@2
docker://python:3.11@sha256:0123456789abcdef, registry.example.org:5000/image:1.2.3
postgresql://user:password@localhost/db, postgresql://{user}:{password}@{host}/{name}
Authorization: Bearer <token>; headers = {"Authorization": f"Bearer {token}"}
the frame is identified by its `frameId`; a basic introduction; bearer of good news everyone
skill-based, task-oriented-programming-with-many-words, risk-adjusted, disk-usage-by-folder-name
key-value-store, hf_hub_download, npm_config_cache_folder, sk-learn, secret_santa_participants
numpy==1.26.4 --hash=sha256:96ad45eb0d2ac6ab0a1dc6d9b7a7d3a3c6d2f4a1f4e6b9c8d7e6f5a4b3c2d1e0
"""


def ordinary() -> dict[str, str]:
    picture = base64.b64encode(bytes((i * i * 7 + i // 3) % 256 for i in range(300_000))).decode()
    hashes = "".join(
        f'    {{ url = "https://x/{i}.whl", hash = "sha256:{some(str(i), 64, HEX)}" }},\n'
        for i in range(2_000)
    )
    table = "<tr><th>token</th><th>password_ok</th></tr><tr><td>Hello</td><td>True</td></tr>"
    words = "token,count\nUniversity2024,3\nbert-base-uncased,4\n\n"
    words += "   token  password\n0  Paris      True\n"
    plotly = json.dumps(
        {
            "data": [{"x": ["a1", "b2"], "y": {"bdata": picture[:5_000], "dtype": "f8"}}],
            "layout": {"template": "plotly"},
        }
    )
    return {
        "lines": ORDINARY,
        "picture": picture,
        "lock": hashes,
        "table": table + words,
        "plotly": plotly,
    }


@pytest.mark.parametrize("name", ordinary())
def test_ordinary_text_is_left_alone(name: str) -> None:
    text = ordinary()[name]
    assert [text[f.start - 20 : f.end] for f in find_secrets(text)] == []
    assert Mask({}).tree({"text": text})["text"] is text


def test_the_bytes_of_a_picture_are_no_credential_and_a_text_among_them_is() -> None:
    for seed, word in ((347, b"PW"), (371, b"pw"), (77, b"pwd")):
        noise = b"\0\xf9" + word + random.Random(seed).randbytes(60)
        assert credentials.find_in_file("a.png", noise) == []
    missed = [
        kind
        for kind, (text, _) in KINDS.items()
        if text.isascii()
        and not credentials.find_in_file("a.db", b"\0\xff\1" + text.encode() + b"\0\1\xff")
    ]
    assert missed == []


def test_the_template_holds_no_credential() -> None:
    project = TEMPLATE / "{{cookiecutter.project_slug}}"
    files = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(files) > 100
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        assert [text[f.start : f.end] for f in find_secrets(text)] == [], path


VALUE = 'it\'s "5" <käse> & a/b+c=\\d s3cretword'


def test_known_values_are_masked_in_base64() -> None:
    mask = Mask({"KEY": "s3cretword"})
    for user in ("", "a", "me", "someone"):
        encoded = base64.b64encode(f"{user}:s3cretword".encode()).decode()
        assert mask.text(f"x {encoded} y") == "x [KEY removed] y"


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(VALUE),
        json.dumps(json.dumps(VALUE)),
        json.dumps(VALUE).replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026"),
        html.escape(VALUE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        repr({VALUE: 1}),
    ],
)
def test_known_values_are_masked_in_every_escape(written: str) -> None:
    masked = Mask({"KEY": VALUE}).text(written)
    assert "[KEY removed]" in masked
    assert "s3cretword" not in masked and "5" not in masked


def test_the_environment_tells_secrets() -> None:
    password = some("environment", 12)
    found = environment_secrets(
        {
            "DB_PASSWORD": password,
            "DATABASE_URL": f"postgresql://me:{password}x@db/sales",
            "PLAIN": KINDS["github classic"][0],
            "SHORT_TOKEN": "abc",
            "PGPASSWORD": "postgres",
            "PWD": "/home/analyst/project",
            "TOKEN_PATH": "/run/token",
            "LANG": "en_GB.UTF-8",
        }
    )
    assert found == {
        "DB_PASSWORD": password,
        "DATABASE_URL": f"{password}x",
        "PLAIN": KINDS["github classic"][0],
    }


def write_in_pieces(text: str, sizes: list[int], mask: Mask) -> str:
    file = io.StringIO()
    masked, at = MaskedFile(file, mask), 0
    for size in sizes:
        masked.write(text[at : at + size])
        masked.flush()
        at += size
    masked.write(text[at:])
    masked.finish()
    return file.getvalue()


@given(st.lists(st.integers(1, 60), max_size=40), st.sampled_from(sorted(KINDS)))
def test_no_credential_is_readable_however_it_is_split(sizes: list[int], kind: str) -> None:
    text, secret = KINDS[kind]
    written = write_in_pieces(
        f"begin 1\n{text}\nend, s3cret-value\n", sizes, Mask({"A": "s3cret-value"})
    )
    assert not readable(secret, written)
    assert written.startswith("begin 1\n")
    assert written.endswith("end, [A removed]\n")


def test_lines_are_written_as_soon_as_they_are_whole() -> None:
    file = io.StringIO()
    masked = MaskedFile(file, Mask({}))
    for piece, shown in (
        ("one\ntw", "one\n"),
        ("o\n", "one\ntwo\n"),
        (" 50 %\r", "one\ntwo\n 50 %\r"),
    ):
        masked.write(piece)
        assert file.getvalue() == shown


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "x",
            "eyJ",
            "://a:",
            "password=",
            "token ",
            'kty":"a",',
            "auth=('a', ",
            "<tr><th>token</th>",
            "pwd",
            "cookie=",
            "curl ",
        ),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
    ],
)
def test_long_lines_are_searched_to_their_end(unit: str) -> None:
    text = unit * (200_000 // len(unit)) + " " + KINDS["github classic"][0]
    assert KINDS["github classic"][0] not in Mask({"A": "s3cret"}).text(text)


def test_no_other_letter_changes_the_length_in_lower_case() -> None:
    # `find` looks for names in lower case, at places in the original.
    longer = [chr(code) for code in range(0x110000) if len(chr(code).lower()) != 1]
    assert longer == ["\u0130"]


PARTS = [
    *("token", "PassWord", "key", "\u017fecret", "\u212aey", "pwd", "credential_id"),
    *("ab", "x" * 41, ".", "-", "_", " ", ",", "\n"),
]


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
def test_names_that_promise_a_secret_are_those_that_a_search_everywhere_finds(
    text: str,
) -> None:
    everywhere = [found[0] for found in columns._NAMED.finditer(text)]
    assert list(columns.promising_names(text)) == everywhere
