"""People at a browser: a real Chromium, each visitor with cookies and storage of their own."""

import re

from playwright.sync_api import Browser, BrowserContext, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CSRF_TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)"')


class Visitors:
    """`visitor(url, person=ref)` gives a page of somebody who is signed in, or else of nobody we know.

    Options are those of Playwright's `new_context`.

    What a page writes to the console as an error fails the test, unless it was forgiven:
    `visitor.forgive("ERR_CONNECTION_REFUSED")` for a test that takes the server away.
    """

    def __init__(self, browser: Browser):
        self.browser = browser
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        self.forgiven: list[str] = []

    def __call__(self, url: str, person: str | None = None, *, width: int = 1280, height: int = 900, **options) -> Page:
        context = self.browser.new_context(base_url=url, viewport={"width": width, "height": height}, **options)
        self.contexts.append(context)
        context.set_default_timeout(10_000)
        if person:
            sign_in(context, url, person)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def forgive(self, words: str) -> None:
        self.forgiven.append(words)

    def leave(self) -> None:
        for context in self.contexts:
            context.close()
        complaints = [text for text in self.complaints if not any(words in text for words in self.forgiven)]
        assert not complaints, "the browser's console: " + "\n".join(complaints)


def sign_in(context: BrowserContext, url: str, person: str) -> None:
    """As the demo's sign-in page does, also for those whose browser runs no scripts."""
    page = context.request.get("/sign-in").text()
    token = CSRF_TOKEN.search(page)
    assert token, f"no CSRF token on /sign-in:\n{page[:2_000]}"
    answer = context.request.post(
        "/sign-in", form={"person": person, "csrf_token": token[1]}, headers={"Origin": url}, max_redirects=0
    )
    assert answer.status == 303, f"POST /sign-in answered {answer.status}:\n{answer.text()[:2_000]}"
