"""Take the pictures of the README: generate a project, run it a few times, look at its report.

python tests/pictures.py build/biopsies docs/images
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import demo
from browsing import LOOKS, find_chromium, launch, visit
from playwright.sync_api import sync_playwright

CONFIG = "config/20-features.yaml"
SEEDS = (7, 21, 3)
WINDOW = {"viewport": {"width": 1280, "height": 1000}, "device_scale_factor": 1.5}
SITE = Path("reports/site")
# Playwright writes no WebP; Pillow came to the project with matplotlib.
TO_WEBP = """
import io, sys
from PIL import Image
picture = Image.open(io.BytesIO(sys.stdin.buffer.read())).convert("RGB")
picture.save(sys.argv[1], "WEBP", quality=80, method=6)
"""


def git(project: Path, *arguments: str) -> None:
    """Run Git with a name that everybody has."""
    person = {"NAME": "A Person", "EMAIL": "person@example.org"}
    roles = {f"GIT_{r}_{k}": v for r in ("AUTHOR", "COMMITTER") for k, v in person.items()}
    programs = f"{project}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["git", *arguments], cwd=project, check=True, env={**os.environ, **roles, "PATH": programs}
    )


def make_history(project: Path) -> None:
    """Run the example with other splits of its data, each a commit: metrics then have a history."""
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--no-verify", "--message", "The example")
    config = project / CONFIG
    for seed in SEEDS:
        text = config.read_text(encoding="utf-8")
        config.write_text(re.sub(r"seed: \d+", f"seed: {seed}", text), encoding="utf-8")
        subprocess.run([project / ".venv/bin/nb", "run"], cwd=project, check=True)
        git(project, "commit", "--quiet", "--no-verify", "--all", "--message", f"Split {seed}")


def take(page: Any, project: Path, path: Path) -> None:
    """Write what the window shows as WebP."""
    python = project / ".venv/bin/python"
    command = [str(python), "-c", TO_WEBP, str(path)]
    subprocess.run(command, input=page.screenshot(), check=True)
    print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


def main(project: Path, images: Path) -> int:
    """Generate, run and take the pictures; return the exit code."""
    if find_chromium() is None:
        print("needs Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    code = demo.main(project)
    if code:
        return code
    make_history(project)
    images.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        desktop = browser.new_context(**WINDOW)
        page = visit(desktop, project / SITE / "index.html").page
        take(page, project, images / "report-index.webp")
        page = visit(desktop, project / SITE / "notebooks/40-evaluate.html").page
        page.get_by_text("Code cell 4").click()
        page.get_by_role("link", name="Choose, on the validation table").click()
        take(page, project, images / "report-notebook.webp")
        phone = browser.new_context(**LOOKS["phone"], color_scheme="dark")
        page = visit(phone, project / SITE / "index.html").page
        page.get_by_text("Over time").evaluate("(title) => title.scrollIntoView()")
        take(page, project, images / "report-phone.webp")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*(Path(argument).resolve() for argument in sys.argv[1:])))
