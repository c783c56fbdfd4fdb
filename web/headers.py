"""Headers that every answer carries: nothing inline, nothing from elsewhere, nothing kept by others."""

from flask import Flask, Response, request

from web import config

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def policy(**changed: str) -> str:
    """The Content-Security-Policy, with some of its lines changed: `policy(frame_ancestors="*")`."""
    lines = POLICY | {name.replace("_", "-"): value for name, value in changed.items()}
    return "; ".join(f"{name} {value}" for name, value in lines.items())


NOTHING_OF_THE_DEVICE = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
LOADED = frozenset({"text/css", "text/javascript", "font/woff2"})  # no pages: they stand under the policy of who loads them


def init_app(app: Flask) -> None:
    settings: config.Config = app.extensions["ideas_hub"].config
    of_files = {"X-Content-Type-Options": "nosniff"}
    of_pages = of_files | {
        "Content-Security-Policy": policy(),
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": NOTHING_OF_THE_DEVICE,
        "Cache-Control": "no-store, private",
    }
    if settings.is_https:
        of_pages["Strict-Transport-Security"] = "max-age=31536000"

    @app.after_request
    def protect(response: Response) -> Response:
        has = {name.lower() for name, _value in response.headers}
        is_loaded = request.endpoint == "static" and response.mimetype in LOADED
        for name, value in (of_files if is_loaded else of_pages).items():
            if name.lower() not in has:
                response.headers.add(name, value)
        return response
