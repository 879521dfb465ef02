"""The box's network: everything outside ends at our sockets, 127.0.0.0/8 and ::1 belong to the agent."""

from __future__ import annotations

import pytest
from boxes import PEOPLE, Boxes


def test_outside_addresses_end_at_our_sockets_with_their_destination(boxes: Boxes) -> None:
    done = boxes.script(
        """
        import socket
        for host, port in (("203.0.113.7", 3333), ("2001:db8::5", 22), ("10.1.2.3", 443), ("169.254.169.254", 80),
                           ("::ffff:192.0.2.1", 25), ("198.18.0.1", 9), ("8.8.8.8", 53), ("2001:db8::53", 53)):
            with socket.create_connection((host, port), timeout=10) as c:
                print(c.recv(100).decode())
        """,
        serve=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *("tcp 203.0.113.7 3333", "tcp 2001:db8::5 22", "tcp 10.1.2.3 443", "tcp 169.254.169.254 80"),
        *("tcp 192.0.2.1 25", "tcp 198.18.0.1 9", "dns-tcp 8.8.8.8 53", "dns-tcp 2001:db8::53 53"),
    ]


def test_names_are_resolved_by_us(boxes: Boxes) -> None:
    done = boxes.script(
        """
        import socket
        print(socket.gethostbyname("api.example.com"))
        print(socket.getaddrinfo("api.example.com", 443, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG))
        print(socket.gethostbyname("localhost"), socket.gethostbyname(socket.gethostname()))
        for server in ("8.8.8.8", "2001:db8::1"):
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                s.settimeout(10); s.connect((server, 53))
                s.send(b"ab\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x01x\\0\\0\\x01\\0\\x01"); print(s.recv(100)[-4:])
        """,
        serve=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "198.18.1.1"
    assert "('198.18.1.1', 443)" in lines[1]
    assert lines[2:] == ["127.0.0.1 127.0.0.1", *["b'\\xc6\\x12\\x01\\x01'"] * 2]


def test_loopback_is_the_agents_own(boxes: Boxes) -> None:
    done = boxes.script(
        """
        import socket, threading
        def serve(family, address, port, ask):
            s = socket.socket(family); s.bind((address, port)); s.listen()
            threading.Thread(target=lambda: s.accept()[0].sendall(b"own"), daemon=True).start()
            with socket.create_connection((ask, port), timeout=10) as c:
                print(address, port, c.recv(10))
        for port in (1, 2, 53, 80, 443, 8888, 15000, 65535):
            serve(socket.AF_INET, "127.0.0.1", port, "127.0.0.1")
            serve(socket.AF_INET6, "::1", port, "::1")
        serve(socket.AF_INET, "127.9.9.9", 80, "127.9.9.9")
        serve(socket.AF_INET, "0.0.0.0", 3000, "127.0.0.1")
        serve(socket.AF_INET, "0.0.0.0", 3001, "localhost")
        serve(socket.AF_INET6, "::", 3002, "localhost")
        serve(socket.AF_INET, "0.0.0.0", 3003, "0.0.0.0")
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 53))
        v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.sendto(b"q", ("127.0.0.1", 53)); print(u.recv(9))
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("b'own'") == 21
    assert done.stdout.endswith("b'q'\n")


def test_what_nobody_answers_reaches_nobody(boxes: Boxes) -> None:
    done = boxes.script(
        """
        import socket, time
        s = socket.socket(); s.settimeout(1); s.connect(("198.51.100.1", 443)); s.sendall(b"x" * 1000)
        try: print("ESCAPE", s.recv(1))
        except TimeoutError: print("silence")
        for host in ("9.9.9.9", "2001:db8::9"):
            u = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            u.settimeout(5); started = time.monotonic(); u.connect((host, 443)); u.send(b"quic")
            try: print("ESCAPE", u.recv(1))
            except ConnectionRefusedError: print("refused", time.monotonic() - started < 1)
        """
    )
    assert done.stdout.split("\n")[:3] == ["silence", "refused True", "refused True"], done.stderr


def test_a_server_of_the_standard_library(boxes: Boxes) -> None:
    done = boxes.script(
        """
        import http.server, threading, urllib.request
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 80), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(urllib.request.urlopen("http://localhost/").status)
        """
    )
    assert done.stdout == "200\n", done.stderr


@pytest.mark.parametrize("boxes", [PEOPLE[0]], indirect=True)
def test_a_pytest_run_with_a_live_server(boxes: Boxes) -> None:
    (boxes.workspace / "test_live.py").write_text(
        "import http.server, threading, urllib.request, pytest\n"
        "@pytest.fixture\n"
        "def server():\n"
        "    s = http.server.ThreadingHTTPServer(('127.0.0.1', 80), http.server.SimpleHTTPRequestHandler)\n"
        "    threading.Thread(target=s.serve_forever, daemon=True).start()\n"
        "    yield s\n"
        "    s.shutdown(); s.server_close()\n"
        "def test_it(server):\n"
        "    assert urllib.request.urlopen('http://localhost/').status == 200\n"
    )
    boxes.give()
    done = boxes.run([boxes.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_live.py"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("boxes", [PEOPLE[0]], indirect=True)
def test_jupyter_serves_inside(boxes: Boxes) -> None:
    done = boxes.script(
        """
        import json, subprocess, sys, time, urllib.request
        p = subprocess.Popen([sys.executable, "-m", "jupyter_server", "--ip=127.0.0.1", "--port=8888", "--no-browser",
                              "--allow-root", "--IdentityProvider.token=t"], stderr=subprocess.PIPE, text=True)
        for line in p.stderr:
            if "http://127.0.0.1:8888" in line: break
        for attempt in range(100):  # it says so a moment before it listens
            try: answer = urllib.request.urlopen("http://127.0.0.1:8888/api/status?token=t")
            except OSError: time.sleep(0.1)
            else: break
        print(json.load(answer)["kernels"])
        p.kill()
        """
    )
    assert done.stdout.strip() == "0", done.stderr
