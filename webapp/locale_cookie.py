"""The language that was chosen in this browser. Under https no neighbouring host can set it."""

from flask import Flask, Response, current_app, request

OLD_NAME = "locale"  # of versions up to 0.7, and where the portal is reached by http
YEAR = 365 * 24 * 3600


def chosen() -> str | None:
    return request.cookies.get(_name()) or request.cookies.get(OLD_NAME)


def remember(response: Response, locale: str) -> None:
    response.set_cookie(
        _name(),
        locale,
        max_age=YEAR,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
    if _name() != OLD_NAME and OLD_NAME in request.cookies:
        response.delete_cookie(OLD_NAME)


def init(app: Flask, locales: tuple[str, ...]) -> None:
    @app.after_request
    def rename(response: Response) -> Response:
        """A cookie of the old name is read once: then it has the new one."""
        old = request.cookies.get(OLD_NAME)
        if _name() == OLD_NAME or old is None or request.endpoint == "static":
            return response
        if _name() in request.cookies or old not in locales:
            response.delete_cookie(OLD_NAME)
        elif not any(cookie.startswith(f"{_name()}=") for cookie in response.headers.getlist("Set-Cookie")):
            remember(response, old)
        return response


def _name() -> str:
    return f"__Host-{OLD_NAME}" if current_app.config["SESSION_COOKIE_SECURE"] else OLD_NAME
