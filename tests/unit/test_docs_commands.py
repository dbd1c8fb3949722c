"""What the documentation says to type exists, and what it quotes is what the program says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted([*(ROOT / "tempo_infra").rglob("*.py"), *(ROOT / "inventory").glob("*.yaml")])
ROOT_COMMAND: Any = typer.main.get_command(app)
BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
TYPED = re.compile(r"tempo-infra ([a-z][^|>&;#…`]*)")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
OFFLINE = re.compile(
    r"\$ tempo-infra ((?:explain|capacity|worker-options|checks) [^\n]+)\n(.*?)```", re.DOTALL
)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _wrong(words: list[str]) -> Iterator[str]:
    """Yield what is no command, or no option of it."""
    command, path = ROOT_COMMAND, "tempo-infra"
    while words and (inner := getattr(command, "commands", {}).get(words[0])):
        command, path, words = inner, f"{path} {words[0]}", words[1:]
    if getattr(command, "commands", None) and words and re.fullmatch(r"[a-z][a-z-]+", words[0]):
        yield f"{path} {words[0]}"
        return
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
    yield from (f"{path} {one}" for word in words for one in OPTION.findall(word)[:1] if one not in known)


def _typed(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of a page: in blocks of code, and between backticks."""
    text = re.sub(r"\\\n|(?<= )'[^'\n`]+'", " ", text)  # words that go on, words that are quoted
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    lines += [line for line in text.splitlines() if line.startswith("    tempo-infra ")]
    inline = [words.replace("\n", " ") for words in INLINE.findall(BLOCK.sub("", text))]
    for line in (*lines, *inline):
        yield from (found.split() for found in TYPED.findall(line.split("   ")[0]))
    known = "|".join(ROOT_COMMAND.commands)
    yield from (words.split() for words in inline if re.match(rf"({known}) -", words))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_commands_and_options_of_a_page_exist(page: Path) -> None:
    assert [wrong for words in _typed(page.read_text()) for wrong in _wrong(words)] == []


def test_the_commands_that_the_program_tells_people_to_type_exist() -> None:
    """Remedies, help texts and the comments of example inventories; sentences name the tool alone."""
    command = re.compile(rf"(?<=`)tempo-infra [^`]+|tempo-infra (?:{'|'.join(ROOT_COMMAND.commands)})\b[^`]*")
    wrong = []
    for path in SOURCES:
        for words in command.findall(path.read_text()):
            plain = re.split(r"\\n|[\"'(){}]|\. ", words)[0].split()
            wrong += [f"{_name(path)}: {one}" for one in _wrong(plain[1:4])]
    assert wrong == []


def test_the_tests_see_a_command_that_is_not_there() -> None:
    words = list(_typed("`tempo-infra plann`, `plan --nope` and\n```\ntempo-infra secrets rotat -i x\n```"))
    assert [list(_wrong(one)) for one in words] == [
        ["tempo-infra secrets rotat"],
        ["tempo-infra plann"],
        ["tempo-infra plan --nope"],
    ]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_make_targets_and_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    paths = re.findall(r"`((?:tests|bench|docs|lab|tempo_infra|templates)/[\w./-]+\.\w+)", text)
    assert [one for one in re.findall(r"`make ([a-z-]+)", text) if one not in targets] == []
    assert [one for one in paths if not (ROOT / one).exists()] == []


QUOTED = [
    pytest.param(command, answer, id=f"{_name(page)}: {command.split()[-1]}")
    for page in PAGES
    for command, answer in OFFLINE.findall(page.read_text())
]


@pytest.mark.parametrize(("command", "answer"), QUOTED)
def test_a_quoted_answer_is_the_commands_own(
    command: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert CliRunner().invoke(app, shlex.split(command)).output == answer


def test_the_errors_of_the_readme_are_the_programs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "inventory" / "oslo-trio.yaml").read_text()
    for right, wrong in (
        ("shards: 512", "shards: 500"),
        ("[history]", "[histroy]"),
        ("internal: 10.0.0.13", "internal: 10.0.0.11"),
    ):
        assert right in text
        text = text.replace(right, wrong)
    (tmp_path / "inventory.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        CliRunner().invoke(app, ["plan", "-i", "inventory.yaml"], catch_exceptions=False)
    assert f"$ tempo-infra plan -i inventory.yaml\n{error.value}\n" in (ROOT / "README.md").read_text()
