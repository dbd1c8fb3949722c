"""The HTML report in a real browser: laid out, within the width of a phone, all there on paper."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tempo_infra.report import findings_html
from tests.unit.report.test_findings import run
from tests.unit.report.test_formats import hostile

BROWSER = shutil.which("chromium")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs a browser: make browser")


def browser(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [str(BROWSER), *QUIET, f"--user-data-dir={folder / 'profile'}", *words],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("what", ["usual", "hostile"])
@pytest.mark.parametrize("width", [390, 1100])
def test_a_phone_and_a_desktop_show_the_whole_width(tmp_path: Path, what: str, width: int) -> None:
    """The page measures itself in a frame of that width; only the test's own copy may run a script."""
    report = "".join(findings_html.write(run() if what == "usual" else hostile()))
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report)
    measure = (
        "<script>parent.postMessage(document.documentElement.scrollWidth+' in '+innerWidth,'*')</script>"
    )
    (tmp_path / "report.html").write_text(without_policy.replace("</body>", f"{measure}</body>"))
    page = tmp_path / "frame.html"
    page.write_text(
        "<title>none</title><script>onmessage=one=>document.title=one.data</script>"
        f'<iframe src="report.html" style="width:{width}px;height:3000px;border:0"></iframe>'
    )
    shown = browser(
        tmp_path, "--window-size=1200,3000", "--virtual-time-budget=5000", "--dump-dom", page.as_uri()
    )
    found = re.search(r"<title>(\d+) in (\d+)</title>", shown)
    assert found is not None
    assert int(found[2]) == width
    assert int(found[1]) <= width


def test_a_screenshot_is_drawn_and_print_shows_what_is_folded(tmp_path: Path) -> None:
    page, picture, paper = tmp_path / "report.html", tmp_path / "report.png", tmp_path / "report.pdf"
    report = "".join(findings_html.write(run()))
    page.write_text(report)
    browser(tmp_path, "--window-size=1000,1500", f"--screenshot={picture}", page.as_uri())
    assert picture.stat().st_size > 40_000  # an empty page of this size has about 5 kB
    whole = pages(tmp_path, page, paper)
    page.write_text(re.sub(r"<details>.*?</details>", "", report, flags=re.DOTALL))
    assert whole >= pages(tmp_path, page, paper) + 3


def pages(folder: Path, page: Path, paper: Path) -> int:
    browser(folder, f"--print-to-pdf={paper}", page.as_uri())
    return len(re.findall(rb"/Type /Page\b", paper.read_bytes()))
