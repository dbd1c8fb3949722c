"""Jinja, made strict: unknown names fail, every value is quoted, templates compute nothing and read nothing.

A template runs once. What its filters return are placeholders; the text with the placeholders gives the
structure that was meant, the text with the quoted values is the file. `roundtrip` compares the two.
An operator's template runs in a process of its own, which is `bounded`; what it rendered is read there, too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, is_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jinja2 import StrictUndefined, TemplateError, TemplateNotFound, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.loaders import BaseLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tempo_infra.errors import InputError
from tempo_infra.render.bounded import TooMuchError, bounded
from tempo_infra.render.quoting import FORMATS, Scalar
from tempo_infra.render.templates import places, sources
from tempo_infra.sanitize import INVISIBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2.runtime import Context

T = TypeVar("T")
OUTPUT_LIMIT = 1024 * 1024  # characters of one file, before and after its values are put in
RECORD = "recorded"
MARK = "zqz"
PLACEHOLDER = re.compile(rf"{MARK}([0-9]{{1,7}}){MARK}", re.ASCII)
REFUSED = (
    *(nodes.Macro, nodes.CallBlock, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends),
    *(nodes.Concat, nodes.FilterBlock, nodes.AssignBlock),
)
MAPPING_METHODS = frozenset({"items", "keys", "values"})


@dataclass(frozen=True, slots=True)
class Printed:
    """One value that a template printed."""

    filter: str
    value: Scalar
    text: str  # quoted


@dataclass(frozen=True)
class Rendered:
    """A file, and what was meant by it."""

    template: Path  # the file of the template, for messages
    form: str  # with placeholders
    printed: tuple[Printed, ...]
    own: bool = False  # the operator's

    @cached_property
    def text(self) -> str:
        return PLACEHOLDER.sub(lambda found: self.printed[int(found[1])].text, self.form)

    def meant(self, value: object) -> object:
        """Put the values in the place of the placeholders, in what a parser made of `form`."""
        if isinstance(value, dict):
            return {self.meant(key): self.meant(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.meant(item) for item in value)
        if not isinstance(value, str) or MARK not in value:
            return value
        whole = PLACEHOLDER.fullmatch(value)
        if whole:
            return self.printed[int(whole[1])].value
        return PLACEHOLDER.sub(lambda found: str(self.printed[int(found[1])].value), value)


class _Quoted(str):
    __slots__ = ()


class _Sandbox(ImmutableSandboxedEnvironment):
    """Attributes of our own values, items of mappings, and nothing else."""

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        if is_dataclass(obj):
            return not attr.startswith("_") and not callable(value)
        return isinstance(obj, dict) and attr in MAPPING_METHODS

    def is_safe_callable(self, obj: object) -> bool:
        if isinstance(obj, Undefined):
            str(obj)  # raises what it has to say
        return getattr(obj, "__name__", "") in MAPPING_METHODS and super().is_safe_callable(obj)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _bound(tree, filename)
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401  # Jinja's
        del context, left, right
        raise SecurityError(f"templates compute nothing, not even {operator}")


def _refuse_unquoted(value: object) -> object:
    if not isinstance(value, _Quoted):
        known = ", ".join(FORMATS)
        raise SecurityError(f"a value is printed without a quoting filter (one of {known})")
    return value


def _filter(name: str, quote: Callable[[Scalar], str]) -> Callable[[Context, Scalar], str]:
    @pass_context
    def placeholder(context: Context, value: Scalar) -> str:
        if isinstance(value, Undefined):
            str(value)  # raises what it has to say
        if not isinstance(value, str | int | float):
            raise SecurityError(f"{type(value).__name__} is not a single value")
        record = context[RECORD]
        record.printed.append(Printed(name, value, quote(value)))
        return _Quoted(f"{MARK}{len(record.printed) - 1}{MARK}")

    return placeholder


class _Record:
    """Opaque to templates: it is no dataclass, so the sandbox shows none of it."""

    def __init__(self) -> None:
        self.printed: list[Printed] = []


class _Loader(BaseLoader):
    """The operator's folder first, file by file; then ours."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self.own = folder, sources(folder)

    def find(self, name: str) -> Path | None:
        if self._folder is not None and name in self.own:
            return self._folder / name
        return next((one for one in places(name) if one.is_file()), None)

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:  # noqa: ANN401  # Jinja's
        del environment
        path = self.find(template)
        if path is None:
            raise TemplateNotFound(template)
        source = self.own.get(template)
        return path.read_text("utf-8") if source is None else source, str(path), lambda: True


class Engine:
    """Templates of one inventory, compiled once."""

    def __init__(self, own: Path | None = None) -> None:
        self._loader = _Loader(own)
        self._environment = environment = _Sandbox(
            loader=self._loader,
            undefined=StrictUndefined,
            finalize=_refuse_unquoted,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
        )
        environment.globals.clear()
        environment.filters = {name: _filter(name, quote) for name, quote in FORMATS.items()}
        environment.intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    @property
    def own(self) -> Mapping[str, str]:
        """The operator's templates by name."""
        return self._loader.own

    def choose(self, *names: str) -> str:
        """Return the first of these templates that exists."""
        return next((name for name in names if self._loader.find(name)), names[-1])

    def render(self, name: str, values: Mapping[str, object], read: Callable[[Rendered], T]) -> T:
        """Run one template and return what is read of it, a JSON value. InputError with its file and line.

        Of the operator's, both are done within bounds.
        """
        if name not in self._loader.own:
            return read(self.ours(name, values))
        path = self._loader.find(name) or Path(name)
        try:
            answer = json.loads(bounded(lambda: _packed(lambda: read(self._run(name, values)))))
        except TooMuchError as error:
            raise InputError(f"{path}: {error.what}") from error
        if "refused" in answer:
            raise InputError(answer["refused"], remedy=answer["remedy"])
        return cast("T", answer["read"])

    def ours(self, name: str, values: Mapping[str, object]) -> Rendered:
        """Run the built-in template of that name: what the values mean."""
        return _built_in()._run(name, values)  # noqa: SLF001 - of this class

    def _run(self, name: str, values: Mapping[str, object]) -> Rendered:
        record = _Record()
        try:
            template = self._environment.get_template(name)
            form = template.render({**values, RECORD: record})
            _bound_output(form, record.printed)
        except (TemplateError, ValueError, TypeError, RecursionError, SyntaxError) as error:
            raise _failed(name, self._loader.find(name), error) from error
        own = name in self._loader.own
        rendered = Rendered(Path(template.filename or name), form, tuple(record.printed), own)
        if found := INVISIBLE.search(rendered.text):  # that a template or a value has written as an escape
            raise InputError(f"{rendered.template}: it renders an invisible character, U+{ord(found[0]):04X}")
        return rendered


@cache
def _built_in() -> Engine:
    """Return the engine of our templates alone, which are compiled once."""
    return Engine()


def _packed(read: Callable[[], object]) -> bytes:
    """Return what came of a template, for another process."""
    try:
        answer = {"read": read()}
    except InputError as error:
        answer = {"refused": error.what, "remedy": error.remedy}
    return json.dumps(answer).encode()


def _bound_output(form: str, printed: Sequence[Printed]) -> None:
    """SecurityError for a file that is too large, or that writes what stands for a value of its own."""
    length = len(form)
    for found in PLACEHOLDER.finditer(form):
        if int(found[1]) >= len(printed):
            raise SecurityError(f"{found[0]} stands for a value: write something else")
        length += len(printed[int(found[1])].text) - len(found[0])
    if max(length, len(form)) > OUTPUT_LIMIT:
        raise SecurityError(f"the file would be larger than {OUTPUT_LIMIT // 1024} KiB")


def _bound(tree: nodes.Template, filename: str | None) -> None:
    """Refuse what templates have no use for."""
    for node in tree.find_all((*REFUSED, nodes.For)):
        if not isinstance(node, nodes.For):
            raise TemplateSyntaxError(f"{type(node).__name__} is refused", node.lineno, filename=filename)
        if node.recursive or node.test is not None:
            raise TemplateSyntaxError("only a plain loop is allowed", node.lineno, filename=filename)


def _failed(name: str, path: Path | None, error: Exception) -> InputError:
    """Make file:line: message; the line is the template's, found in the traceback that Jinja rewrote."""
    line = getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace is not None and path is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f"{path or name}:{line}" if line else str(path or name)
    return InputError(f"{where}: {getattr(error, 'message', None) or error}")
