"""The generated pages are what the code says, and links between pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", generate.pages())
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    """`make docs` writes them."""
    assert (generate.REFERENCE / name).read_text() == generate.pages()[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading that is in it."""
    missing = []
    for file, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text())):
            missing.append(f"{file}#{anchor}")
    assert missing == []


def _anchors(text: str) -> set[str]:
    """Return the names that GitHub gives to the headings of a page."""
    found: set[str] = set()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 1
        while (anchor := name if number == 1 else f"{name}-{number - 1}") in found:
            number += 1
        found.add(anchor)
    return found


def test_anchors_are_named_as_github_does() -> None:
    text = "# A `page`, of two\n```\n# no heading\n```\n## [Open](x.md) files\n## Twice\n## Twice\n"
    assert _anchors(text) == {"a-page-of-two", "open-files", "twice", "twice-1"}


def test_every_page_is_reached_from_the_readme() -> None:
    """By links: what nobody finds, nobody reads."""
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
        todo += [page.parent / link for link in links if (page.parent / link).is_file()]
    assert set(PAGES) - seen == set()


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text
