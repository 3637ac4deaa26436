"""A signed-in owner who talks to a running portal over HTTP, without a browser."""

from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from e2e.portal import Sandbox, token


class Browser:
    """A signed-in owner, without a browser."""

    def __init__(self, sandbox: Sandbox, account: dict[str, str]) -> None:
        self.jar = CookieJar()
        self.url = sandbox.url
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(self.jar))
        page = self.get("/sign-in")[1]
        self.post("/sign-in", csrf_token=token(page), email=account["email"], password=account["password"])

    def get(self, path: str) -> tuple[str, str]:
        """The address where it ended, and the page."""
        with self.opener.open(f"{self.url}{path}", timeout=60) as answer:
            return answer.url, answer.read().decode()

    def post(self, path: str, **form: str) -> tuple[str, str]:
        try:
            with self.opener.open(f"{self.url}{path}", urlencode(form).encode(), timeout=60) as answer:
                return answer.url, answer.read().decode()
        except HTTPError as error:
            return str(error.code), error.read().decode()
