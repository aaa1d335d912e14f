"""The status page in Chromium. Run by status_page.sh.

usage: status_page_check.py [FOLDER]   leaves screenshots in FOLDER
"""
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import sys
import threading

from playwright.sync_api import sync_playwright

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from harness import Daemon  # noqa: E402

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&"
LONG_ID = "an-identifier-that-a-client-has-chosen-without-a-thought-for-phones-0123456789"
SIMULATED = ("--set", "engine.simulate=true", "--set", "simulate.step_base=20ms", "--set", "scheduler.max_num_seqs=2",
             "--set", f"model.name={HOSTILE}")
WIDTHS = {"desktop": 1280, "tablet": 700, "phone": 360}
# What sticks out of the window, whatever is scrolled.
STICKING_OUT = """() => [...document.body.querySelectorAll("*")].filter(e => !e.closest("thead") &&
    e.getBoundingClientRect().right > innerWidth + 1).map(e => e.id || e.tagName)"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def post(daemon, request_id="r", read=True, **body):
    """A streamed completion; the client hangs up after the first bytes where it is not to `read`."""
    with contextlib.closing(http.client.HTTPConnection(*daemon.http.split(":"), timeout=60)) as connection:
        connection.request("POST", "/v1/completions", json.dumps({"prompt": "x", "stream": True} | body),
                           {"Content-Type": "application/json", "X-Request-Id": request_id})
        answer = connection.getresponse()
        with contextlib.suppress(OSError, http.client.HTTPException):  # where the server is killed
            answer.read() if read else answer.read(1)


class Pages:
    """The page in windows of all widths; what goes wrong in them is kept in `problems`."""

    def __init__(self, browser, url, folder):
        self.url, self.folder, self.problems, self.pages = url, folder, [], {}
        for name, width in WIDTHS.items():
            scheme = "dark" if name == "tablet" else "light"
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, has_touch=name == "phone",
                                          reduced_motion="reduce")
            page = context.new_page()
            page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
            page.on("dialog", lambda dialog: (self.problems.append("a dialog"), dialog.dismiss()))
            page.on("request", lambda request: request.url.startswith((url, "data:")) or self.problems.append(request.url))
            page.goto(url)
            self.pages[name] = page

    def __iter__(self):
        return iter(self.pages.values())

    def shoot(self, what):
        for name, page in self.pages.items():
            out = page.evaluate(STICKING_OUT)
            assert not out, f"{what}, {name}: {out} sticks out of the window"
            if self.folder:
                page.screenshot(path=f"{self.folder}/{what}-{name}.png", full_page=True)


def color(page, selector):
    return page.eval_on_selector(selector, "e => getComputedStyle(e).color")


def shows_what_happens(pages, daemon):
    post(daemon, "cancelled", read=False, max_tokens=900, ignore_eos=True)
    post(daemon, "refused", hostile=HOSTILE)
    threads = [threading.Thread(target=post, args=(daemon, f"{LONG_ID}-{i}"), kwargs={"max_tokens": 900, "ignore_eos": True})
               for i in range(3)]
    for thread in threads:
        thread.start()
    for page in pages:
        page.wait_for_selector("#live tbody tr >> nth=2")
        row = page.locator("#recent tbody tr", has_text="client cancelled")
        row.wait_for()
        assert row.locator("td.cancelled").count() == 1 and not row.locator("td.failed").count()
        bad = page.evaluate("getComputedStyle(document.querySelector('.state')).getPropertyValue('--bad')")
        page.evaluate("color => document.body.append(Object.assign(document.createElement('p'), {id: 'probe'})) || "
                      "(document.getElementById('probe').style.color = color)", bad)
        assert color(page, "#recent td.cancelled") != color(page, "#probe"), "a cancelled request is as red as a fault"
        assert color(page, "#errors") != color(page, "#probe"), "a cancelled request counts as an error"
        page.evaluate("document.getElementById('probe').remove()")
        assert page.locator("#refusals tbody th").all_inner_texts() == ["unknown field"]
        assert socket.gethostname() in page.inner_text("header")
        assert "serving" in page.title() and page.inner_text("#state") == "serving"
    pages.shoot("busy")
    return threads


def details_open(pages):
    pages.pages["phone"].tap("summary")
    for name in ("desktop", "tablet"):
        pages.pages[name].focus("summary")
        pages.pages[name].keyboard.press("Enter")
    for page in pages:
        facts = page.inner_text("#facts")
        assert HOSTILE in facts and "Architecture" in facts and "Parameters" in facts, facts
        # What only a mouse can show is shown nowhere.
        assert not page.locator("body [title]").count()
    pages.shoot("details")


def names_are_no_html(pages):
    for page in pages:
        assert page.inner_text("h1") == HOSTILE
        assert page.evaluate("[document.images.length, document.scripts.length]") == [0, 1]
        page.evaluate("""() => { const script = document.createElement("script");
            script.textContent = "window.injected = true"; document.body.append(script); }""")
        assert not page.evaluate("window.injected"), "the page's policy allows scripts of others"


def fades_when_the_server_is_gone(pages):
    for page in pages:
        page.wait_for_selector(".state.unreachable", timeout=30000)
        page.wait_for_selector("#seen:visible", timeout=30000)
        page.wait_for_selector("main.stale")
        assert re.fullmatch(r"last seen \d+ s ago", page.inner_text("#seen")), page.inner_text("#seen")
        assert page.evaluate("getComputedStyle(document.querySelector('main')).opacity < .6")
    pages.shoot("gone")


def comes_back(pages):
    for page in pages:
        page.wait_for_selector(".state.serving", timeout=30000)
        page.wait_for_selector("main:not(.stale)")
        assert not page.is_visible("#seen")
    pages.shoot("back")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    if folder:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs a user who is not root.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with Daemon(*SIMULATED, model=None, http=address) as daemon:
            pages = Pages(browser, f"http://{daemon.http}/", folder)
            clients = shows_what_happens(pages, daemon)
            details_open(pages)
            names_are_no_html(pages)
            # One that is there and does not answer is as gone as one that has ended.
            daemon.process.send_signal(signal.SIGSTOP)
            fades_when_the_server_is_gone(pages)
            daemon.process.send_signal(signal.SIGCONT)
            comes_back(pages)
            daemon.process.kill()
            daemon.process.wait()
            for client in clients:
                client.join()
            fades_when_the_server_is_gone(pages)
        with Daemon(*SIMULATED, model=None, http=address):
            comes_back(pages)
            for page in pages:
                page.locator("#live tfoot", has_text="none").wait_for()  # the old server's requests are gone
        assert not pages.problems, pages.problems
        browser.close()
    print("ok")


if __name__ == "__main__":
    main()
