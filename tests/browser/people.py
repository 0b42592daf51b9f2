"""People at their browsers: what a test does and sees, in the words of the page."""

import os
import re
import time

from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, expect

PASSWORD = "quiet rivers, paper lanterns"
#: The machine may be busy; a healthy page needs a fraction of it.
PATIENCE_MS = int(os.environ.get("PATIENCE_MS", 30_000))
expect.set_options(timeout=PATIENCE_MS)
#: What Chromium writes to the console though nothing is wrong.
PAGE_NOISE = re.compile(
    # About a header on plain http; it is no news.
    r"origin was untrustworthy"
    # The page itself ended a live stream that was just being opened, because another one is wanted.
    r"|WebSocket is closed before the connection is established"
)
#: What it writes about calls that don't get through; tests that cut the link expect it.
LINK_NOISE = re.compile(r"Failed to load resource|WebSocket connection to|net::ERR_|ERR_INTERNET_DISCONNECTED")

#: With all its windows, of which nobody sees any.
WHOLE_CHROMIUM = "/usr/bin/chromium"
LAUNCH = {
    # The same Chromium without its windows takes half of the processor time.
    "executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium-headless-shell"),
    "args": [
        "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        # A name that is not localhost, so that its origin is not trustworthy without https.
        "--host-resolver-rules=MAP chat.lan 127.0.0.1",
    ],
}

# Reports what the content security policy blocked; a page can't see that any other way.
WATCH_CSP = """
window.__violations = [];
document.addEventListener('securitypolicyviolation', (event) => window.__violations.push(
  `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


class Person:
    """One account in one browser context, with one page or more."""

    def __init__(self, browser: Browser, url: str, links: bool = True, **context):
        """`links=False` is a browser that can't link to others."""
        options = {"base_url": url, "viewport": {"width": 1280, "height": 800}, "locale": "en-US", "timezone_id": "Asia/Ho_Chi_Minh", **context}
        self.url: str = options["base_url"]
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(WATCH_CSP)
        if not links:
            self.context.add_init_script("delete window.RTCPeerConnection")
        self.complaints: list[str] = []
        self.unanswered: set[str] = set()
        self.link_cut = False
        self.page: Page = self.new_page()
        self.name = ""

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: message.type in ("error", "warning") and self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.unanswered.add(f"{request.method} {request.url}"))
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda request: self.unanswered.discard(f"{request.method} {request.url}"))
        return page

    # --- accounts ---------------------------------------------------------------------------------

    def register(self, name: str) -> "Person":
        """Makes an account without the page; its session is the context's."""
        if not self.url.startswith("http://localhost:"):
            # A name that only the browser knows.
            self.page.goto("/register")
            status = self.page.evaluate(
                """(body) => fetch('/register', {
                  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
                }).then((answer) => answer.status)""",
                {"username": name, "password": PASSWORD},
            )
            assert status == 200, status
            self.name = name
            return self
        answer = self.context.request.post("/register", data={"username": name, "password": PASSWORD})
        assert answer.ok, f"{answer.status} {answer.text()}"
        self.name = name
        return self

    def login(self, name: str) -> "Person":
        answer = self.context.request.post("/login", data={"username": name, "password": PASSWORD})
        assert answer.ok, f"{answer.status} {answer.text()}"
        self.name = name
        return self

    def enter(self, page: Page | None = None) -> "Person":
        """Opens the chat page and waits until it is connected."""
        page = page or self.page
        page.goto("/")
        if page.locator("#channel-list").count() and any("ERR_NETWORK_CHANGED" in one for one in self.complaints):
            # An interface of this machine came or went (a container's, say) and Chromium dropped the page's
            # files on the way. A person would reload.
            self.complaints = [one for one in self.complaints if "ERR_NETWORK_CHANGED" not in one]
            page.reload()
        try:
            expect(page.locator("#channel-list a")).not_to_have_count(0, timeout=PATIENCE_MS)
            expect(page.locator("#account .dot.online")).to_be_attached(timeout=PATIENCE_MS)
        except AssertionError as error:
            raise AssertionError(f"{error}\ncomplaints: {self.complaints}\nunanswered: {self.unanswered}") from error
        return self

    def enter_again(self) -> None:
        """Until a page that was loaded anew is connected."""
        expect(self.page.locator("#account .dot.online")).to_be_attached(timeout=PATIENCE_MS)

    def call(self, method: str, path: str, **data):
        """A call of the API with this person's session."""
        if method == "GET":
            answer = self.context.request.get(path, params=data)
        else:
            answer = self.context.request.post(path, data=data)
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()

    def broadcast(self, channel: str, *texts: str) -> None:
        for text in texts:
            self.call("POST", "/broadcast-peer", peer_id=self.name, channel=channel, message=text)

    # --- the chat page ----------------------------------------------------------------------------

    @property
    def box(self) -> Locator:
        return self.page.locator("#text")

    @property
    def scroller(self) -> Locator:
        return self.page.locator("#scroller")

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def say_all(self, texts: list[str]) -> None:
        """As fast as a page can be written in."""
        self.page.evaluate(
            """(texts) => {
              const box = document.getElementById('text');
              for (const text of texts) {
                box.value = text;
                box.dispatchEvent(new Event('input', { bubbles: true }));
                document.getElementById('composer').requestSubmit();
              }
            }""",
            texts,
        )

    def message(self, text: str) -> Locator:
        """The message with exactly this text."""
        return self.page.locator("li.message", has=self.page.locator(".said", has_text=re.compile(f"^{re.escape(text)}$")))

    def sees(self, text: str, timeout: float = PATIENCE_MS) -> None:
        expect(self.message(text)).to_have_count(1, timeout=timeout)

    def sent(self, text: str) -> None:
        """Until the own message is acknowledged."""
        expect(self.message(text)).to_have_class(re.compile(r"\bsent\b"), timeout=PATIENCE_MS)

    def place(self, name: str) -> Locator:
        return self.page.locator(".places a", has=self.page.locator(".place-label", has_text=re.compile(f"^{re.escape(name)}$")))

    def open(self, name: str) -> None:
        self.place(name).click()
        expect(self.page.locator("#place-title .title-text")).to_have_text(name)

    def write_to(self, name: str) -> None:
        """Opens the talk with a person by way of the directory."""
        self.page.locator("#browse-people").click()
        self.page.locator(f'dialog .person[data-peer="{name}"]').click()
        expect(self.page.locator("#place-title .title-text")).to_have_text(name)

    def linked(self, how="direct", page: Page | None = None) -> None:
        """Until the open talk has such a link."""
        expect((page or self.page).locator("#link-state")).to_have_attribute("data-state", how, timeout=PATIENCE_MS)

    def went(self, text: str, how: str) -> None:
        """Until the message with this text has this mark: `direct`, `queued`, `got-direct` and so on."""
        expect(self.message(text)).to_have_class(re.compile(rf"\b(?<!-){how}\b"), timeout=PATIENCE_MS)

    def texts(self) -> list[str]:
        return self.page.locator("li.message .said").all_inner_texts()

    def dismiss_welcome(self) -> None:
        self.page.locator("#welcome button").first.click()
        expect(self.page.locator("#welcome")).to_be_hidden()

    def tab_to(self, role: str, name: str) -> None:
        """Presses Tab until this has the focus."""
        focused = self.page.locator(":focus")
        for _ in range(40):
            self.page.keyboard.press("Tab")
            if self.page.get_by_role(role, name=name).and_(focused).count():
                return
        raise AssertionError(f"Tab does not lead to {name}")

    def at_end(self) -> bool:
        return self.scroller.evaluate("(node) => node.scrollHeight - node.scrollTop - node.clientHeight < 60")

    def crash(self) -> None:
        """The page's process dies: it says goodbye to nobody. Another page takes its place."""
        dead = self.page
        self.page = self.context.new_page()
        try:
            dead.goto("chrome://crash", timeout=5000)
        except Error:
            pass
        dead.close()
        self.page.close()
        self.page = self.new_page()

    # --- the end ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing may have been blocked, thrown, or complained about on the way."""
        for page in self.context.pages:
            if page.url.startswith("http"):
                self.complaints += [f"CSP: {one}" for one in page.evaluate("window.__violations ?? []")]
        noise = lambda one: PAGE_NOISE.search(one) or (self.link_cut and LINK_NOISE.search(one))  # noqa: E731
        bad = [one for one in self.complaints if not noise(one)]
        assert bad == [], f"{self.name or 'a visitor'}: {bad}"

    def close(self) -> None:
        self.context.close()


def eventually(what, patience: float = PATIENCE_MS / 1000):
    """Waits until `what` gives a true value, and gives it back."""
    deadline = time.monotonic() + patience
    while True:
        value = what()
        if value or time.monotonic() > deadline:
            assert value, "it never became true"
            return value
        time.sleep(0.05)
