"""The formats of the check report: each one's name, its file extension and its writer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.report import (
    findings_html,
    findings_json,
    findings_junit,
    findings_markdown,
    findings_prometheus,
    findings_sarif,
)

if TYPE_CHECKING:
    from tempo_infra.report.result import Writer


class ReportFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    MARKDOWN = "markdown"
    HTML = "html"
    PROMETHEUS = "prometheus"


WRITERS: dict[ReportFormat, Writer] = {
    ReportFormat.JSON: findings_json.write,
    ReportFormat.JUNIT: findings_junit.write,
    ReportFormat.SARIF: findings_sarif.write,
    ReportFormat.MARKDOWN: findings_markdown.write,
    ReportFormat.HTML: findings_html.write,
    ReportFormat.PROMETHEUS: findings_prometheus.write,
}
EXTENSIONS = {
    ".txt": ReportFormat.TEXT,
    ".json": ReportFormat.JSON,
    ".xml": ReportFormat.JUNIT,
    ".sarif": ReportFormat.SARIF,
    ".md": ReportFormat.MARKDOWN,
    ".html": ReportFormat.HTML,
    ".prom": ReportFormat.PROMETHEUS,
}


def of_output(text: str) -> tuple[ReportFormat, Path]:
    """Read `FILE` (the extension says the format) or `FORMAT:FILE`; InputError when neither says one."""
    name, colon, rest = text.partition(":")
    if colon and rest and name in set(ReportFormat):
        return ReportFormat(name), Path(rest)
    found = EXTENSIONS.get(Path(text).suffix.lower())
    if found is None:
        known = ", ".join(EXTENSIONS)
        raise InputError(
            f"--output {text}: the name doesn't say the format",
            remedy=f"end it with one of {known}, or write FORMAT:FILE",
        )
    return found, Path(text)
