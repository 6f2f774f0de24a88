"""Answers: what is refused, with which sentence, and what text becomes in the generated files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE
from cookiecutter.exceptions import FailedHookException
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

import template_answers

if sys.version_info >= (3, 11):
    import tomllib

BAD_ANSWERS = {
    "a slug with a path separator": ({"project_slug": "a/b"}, "slug 'a/b'"),
    "a slug that leaves the folder": ({"project_slug": "../out"}, "slug '../out'"),
    "a slug with a blank": ({"project_slug": "my project"}, "slug 'my project'"),
    "a slug that is a Windows device": ({"project_slug": "con"}, "reserved device name"),
    "a slug that is a dependency": ({"project_slug": "pandas"}, "name of something"),
    "a name without any letter": ({"project_name": "!!!"}, "slug ''"),
    "a package that is a keyword": ({"package_name": "class"}, "Python keyword"),
    "a package of the standard library": ({"package_name": "statistics"}, "hide Python's own"),
    "a package that is a dependency": ({"package_name": "sklearn"}, "name of something"),
    "a package that is the tooling": ({"package_name": "nb"}, "name of something"),
    "a slug that a dependency needs": ({"project_slug": "packaging"}, "name of something"),
    "a package with a hyphen": ({"package_name": "my-package"}, "lower-case letters"),
    "a package that begins with a digit": ({"package_name": "2026_sales"}, "begin with a letter"),
    "an e-mail without a domain": ({"email": "nobody"}, "name@example.org"),
    "a storage of an unknown kind": ({"storage": "ftp://host/x"}, "must be a folder, s3://…"),
    "a storage in a home folder": ({"storage": "~/store"}, "without '~'"),
    "a storage that is the project": ({"storage": "."}, "is in the project"),
    "a storage in the project": ({"storage": "a/../store"}, "is in the project"),
    "a storage without a bucket": ({"storage": "s3://"}, "must name a folder or a bucket"),
}


@pytest.mark.parametrize(("answers", "sentence"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_is_one_sentence_and_leaves_nothing(
    answers: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    command = [sys.executable, "-m", "cookiecutter", "--no-input", str(TEMPLATE)]
    command += [f"{question}={answer}" for question, answer in answers.items()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).strip().splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


@pytest.mark.parametrize("text", ["two\nlines", "a\0null", "a\x85next line", "a\u2028separator"])
def test_text_of_more_than_one_line_is_refused(text: str) -> None:
    with pytest.raises(FailedHookException, match="'author' holds a line break"):
        template_answers.valid_text({"author": text})


@pytest.mark.parametrize(
    ("slug", "package"),
    [
        ("churn", "churn"),
        ("2026-sales", "project_2026_sales"),
        ("A.b-C", "a_b_c"),
        ("x" * 60, "x" * 40),
    ],
)
def test_the_proposed_package_is_valid(slug: str, package: str) -> None:
    assert template_answers.package_name(slug) == package
    assert template_answers.valid_package(package) == ""


@pytest.mark.parametrize(
    ("storage", "url", "requirement"),
    [
        ("../store", "../../store", "dvc"),
        ("/mnt/a b", "/mnt/a b", "dvc"),
        ("C:\\store", "C:\\store", "dvc"),
        ("s3://bucket/path", "s3://bucket/path", "dvc[s3]"),
        (" gs://bucket ", "gs://bucket", "dvc[gs]"),
        ("azure://container", "azure://container", "dvc[azure]"),
        ("ssh://host/path", "ssh://host/path", "dvc[ssh]"),
    ],
)
def test_the_storage_selects_url_and_extra(storage: str, url: str, requirement: str) -> None:
    assert template_answers.valid_storage(storage) == ""
    assert template_answers.storage_url(storage) == url
    assert template_answers.dvc_requirement(storage) == requirement


TEXTS = [
    'say "hello"',
    "O'Brien \\ Söhne \\u00e9 \\n",
    "{{ cookiecutter }} {% if %} {# c #}",
    "# $HOME ${x} `id` $(id) %(x)s 100 %",
    "<script>alert(1)</script> &amp; a < b > c & d",
    "数据科学 Ελληνικά العربية",
    "👩‍🔬 🚀 a\u200db \x7f",
    "*stars* _under_ [link](x) ~~gone~~ | pipe",
    "1. first",
    "- item",
    "  blanks around  ",
    "x" * 300,
]


@pytest.mark.parametrize("text", TEXTS)
def test_quoted_text_means_the_same_in_every_language(text: str) -> None:
    quoted = template_answers.quoted(text)
    assert json.loads(quoted) == text.strip()
    assert eval(quoted) == text.strip()
    assert YAML(typ="safe").load(f"key: {quoted}")["key"] == text.strip()
    if sys.version_info >= (3, 11):
        assert tomllib.loads(f"key = {quoted}")["key"] == text.strip()


@pytest.mark.parametrize("text", TEXTS)
def test_text_in_markdown_is_shown_as_it_was_typed(text: str) -> None:
    (_, inline, _) = (
        MarkdownIt("commonmark").enable("strikethrough").parse(template_answers.markdown(text))
    )
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children or ()) == text.strip()
