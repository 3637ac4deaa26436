"""Templates, compiled once for each language: their sentences are parts of the compiled page.

What depends on the language, such as the filters for dates and amounts, is bound then, too.
"""

from typing import Any

from flask.templating import Environment
from jinja2 import Template, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

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

    def _generate(self, source: nodes.Template, name: Any, filename: Any, defer_init: bool = False) -> str:
        escapes = self.autoescape(name) if callable(self.autoescape) else self.autoescape
        return super()._generate(Translator(escapes).visit(source), name, filename, defer_init)


class Translator(NodeTransformer):
    """Replaces `_('…')` by the translated sentence, and `_('… %(n)s', n=x)` by its formatting."""

    def __init__(self, escapes: bool) -> None:
        self.text: type[str] = Markup if escapes else str

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:  # noqa: N802  Jinja names it
        self.generic_visit(node)
        if not (isinstance(node.node, nodes.Name) and node.node.name == "_"):
            return node
        sentence = node.args[0]
        translated = self.text(catalogue().ugettext(sentence.as_const()))
        if not node.kwargs:
            return nodes.Const(translated % {}, lineno=node.lineno)
        variables = [nodes.Pair(nodes.Const(given.key), given.value) for given in node.kwargs]
        return nodes.Mod(nodes.Const(translated), nodes.Dict(variables), lineno=node.lineno)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802
        """Jinja would join constants to a text that is escaped again."""
        self.generic_visit(node)
        if all(isinstance(part, nodes.Const) for part in node.nodes):
            return nodes.Const(self.text().join(part.value for part in node.nodes), lineno=node.lineno)  # type: ignore[attr-defined]
        return node
