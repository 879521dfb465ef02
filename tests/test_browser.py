"""A real Chromium in a box, driven as Playwright drives it: the agent's own server, and a page through the gateway."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from test_doors import Place, place

__all__ = ["place"]

HOST = "pages.example.com"
PAGE = b"<script>fetch('/data').then(a => a.text()).then(t => { document.title = t + '!' })</script>"
DRIVER = r"""
import http.server, json, os, subprocess, sys, threading, time
PAGE, HOST = sys.argv[1].encode(), sys.argv[2]
class Here(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-type", "text/html"); self.end_headers()
        self.wfile.write(b"made here" if self.path == "/data" else PAGE)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("localhost", 0), Here)
threading.Thread(target=server.serve_forever, daemon=True).start()

asked_here, asking = os.pipe()
telling, told_there = os.pipe()
words = ["chromium", "--headless", "--no-sandbox", "--remote-debugging-pipe"]
words.append("--user-data-dir=" + os.getcwd() + "/profile")
line = f'exec "$@" 3<&{asked_here} 4>&{told_there}'
with open("chromium.log", "wb") as log:
    browser = subprocess.Popen(["sh", "-c", line, "sh", *words], pass_fds=(asked_here, told_there), stderr=log)
os.close(asked_here); os.close(told_there)
answers, number = os.fdopen(telling, "rb"), 0

def message():
    found = bytearray()
    while (byte := answers.read(1)) != b"\0":
        if not byte:
            sys.exit("the browser ended: " + open("chromium.log", errors="replace").read()[-2000:])
        found += byte
    return json.loads(found)

def ask(method, session=None, **parameters):
    global number
    number += 1
    document = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
    os.write(asking, json.dumps(document).encode() + b"\0")
    while (answer := message()).get("id") != number:
        pass
    return answer.get("result", {})

print(ask("Browser.getVersion")["product"].partition("/")[0])
for url in (f"http://localhost:{server.server_port}/", f"https://{HOST}/", "https://elsewhere.test/"):
    target = ask("Target.createTarget", url=url)["targetId"]
    session = ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    title, until = "", time.monotonic() + 30
    while not title and time.monotonic() < until:
        code = "document.title || (document.body && document.body.innerText.split('\\n')[0]) || ''"
        title = ask("Runtime.evaluate", session, expression=code).get("result", {}).get("value") or ""
        if title and not title.endswith("!") and "403" not in title:
            title = ""
    print(title)
ask("Browser.close")
browser.wait()
"""


class Pages(BaseHTTPRequestHandler):
    """A site outside."""

    def do_GET(self) -> None:
        """The page, or what it fetches."""
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"through the gateway" if self.path == "/data" else PAGE)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def pages() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_chromium_runs_unchanged_and_trusts_the_gateway(place: Place, pages: int) -> None:
    place.edit(hosts=[HOST], top={"upstreams": {HOST: f"http://127.0.0.1:{pages}"}})
    (place.folder / "driver.py").write_text(DRIVER, "utf-8")
    done = place.run("python3", "driver.py", PAGE.decode(), HOST)
    assert done.returncode == 0, done.stdout + done.stderr
    product, here, through, elsewhere = done.stdout.splitlines()
    assert "Chrom" in product
    assert (here, through) == ("made here!", "through the gateway!"), done.stderr
    assert "403" in elsewhere, done.stderr
