"""Templates, compiled once for each language: their sentences are parts of the compiled page.

What depends on the language, such as the filters for dates and amounts, is bound then, too.
"""

from collections.abc import Callable
from typing import Any

from flask import has_request_context
from flask.templating import Environment
from jinja2 import Template, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup
from werkzeug.routing import BuildError

from . import formats
from .words import catalogue, language


class LanguageEnvironment(Environment):
    """Leads to an environment of the current language. `own` is set in those, by the first template they load."""

    own = False
    by_language: dict[str, "LanguageEnvironment"]

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self.by_language = {}

    def _load_template(self, name: str, globals: Any) -> Template:  # noqa: A002  Jinja names it
        if self.own:
            return super()._load_template(name, globals)
        return self._of(language())._load_template(name, globals)

    def _of(self, chosen: str) -> "LanguageEnvironment":
        environment = self.by_language.get(chosen)
        if environment is None:
            environment = self.overlay()
            environment.own = True
            filters, functions = formats.in_language(chosen)
            environment.filters = {**self.filters, **filters}
            environment.globals = {**self.globals, **functions}
            self.by_language[chosen] = environment
        return environment

    def constant(self) -> dict[str, Any]:
        """Functions that always return the same for the same arguments. Mails have no links to paths."""
        names = ("language", "static_url", "url_for") if has_request_context() else ()
        return {name: self.globals[name] for name in names}

    def _generate(self, source: nodes.Template, name: Any, filename: Any, defer_init: bool = False) -> str:
        escapes = self.autoescape(name) if callable(self.autoescape) else self.autoescape
        return super()._generate(Translator(self, escapes).visit(source), name, filename, defer_init)


class Translator(NodeTransformer):
    """Replaces `_('…')` by the translated sentence, `_('… %(n)s', n=x)` by its formatting, and addresses that all pages
    share by themselves.
    """

    def __init__(self, environment: LanguageEnvironment, escapes: bool) -> None:
        self.environment, self.constant = environment, environment.constant()
        self.text: type[str] = Markup if escapes else str

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:  # noqa: N802  Jinja names it
        self.generic_visit(node)
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        if name in self.constant:
            return self._called(node, self.constant[name])
        if name != "_":
            return node
        translated = self.text(catalogue().ugettext(node.args[0].as_const()))
        if not node.kwargs:
            return nodes.Const(translated % {}, lineno=node.lineno)
        variables = [nodes.Pair(nodes.Const(given.key), given.value) for given in node.kwargs]
        return nodes.Mod(nodes.Const(translated), nodes.Dict(variables), lineno=node.lineno)

    def _called(self, node: nodes.Call, function: Callable[..., Any]) -> nodes.Expr:
        """Its result, if all arguments are written out."""
        parts = [*node.args, *(given.value for given in node.kwargs)]
        if node.dyn_args or node.dyn_kwargs or not all(isinstance(part, nodes.Const) for part in parts):
            return node
        arguments = [part.as_const() for part in node.args]
        try:
            return nodes.Const(function(*arguments, **{given.key: given.value.as_const() for given in node.kwargs}))
        except BuildError:  # a page that is there in the sandbox only, for a part that is not reached elsewhere
            return node

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802
        """Puts the included template into this one: no context is copied. Not while templates are being edited."""
        if (
            self.environment.auto_reload
            or not isinstance(node.template, nodes.Const)
            or self.environment.loader is None
        ):
            return node
        name = node.template.value
        source, filename, _ = self.environment.loader.get_source(self.environment, name)
        included = self.visit(self.environment._parse(source, name, filename))
        return nodes.Scope(included.body, lineno=node.lineno)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802
        """Jinja would join constants to a text that is escaped again."""
        self.generic_visit(node)
        if all(isinstance(part, nodes.Const) for part in node.nodes):
            return nodes.Const(self.text().join(part.value for part in node.nodes), lineno=node.lineno)  # type: ignore[attr-defined]
        return node
