"""Flask, without what it would do again at each request with the same result."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Flask, has_request_context

from .templating import LanguageEnvironment


class Portal(Flask):
    jinja_environment = LanguageEnvironment

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._path = lru_cache(4096)(super().url_for)

    def url_for(self, endpoint: str, **values: Any) -> str:
        """The path of a page, remembered: a page has dozens of links, most of which all pages have."""
        remembered = has_request_context() and not values.get("_external")
        return self._path(endpoint, **values) if remembered else super().url_for(endpoint, **values)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or hook is a coroutine, so none needs to be looked at."""
        return func
