"""The SSH server: a tunnel through it would really work, and it is noticed."""

from __future__ import annotations

import asyncio
import shutil
import socket

import asyncssh

from comptroller.testing.ssh_server import SshServer


async def test_a_remote_forward_really_carries_bytes_back() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        writer.close()
        await writer.wait_closed()

    target = await asyncio.start_server(echo, "127.0.0.1", 0)
    target_port = target.sockets[0].getsockname()[1]
    with SshServer() as server:
        async with asyncssh.connect("127.0.0.1", server.port, username="x", known_hosts=None) as connection:
            listener = await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", target_port)
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.get_port())
            writer.write(b"ping")
            assert await reader.read() == b"ping"
            writer.close()
            await writer.wait_closed()
            assert (await connection.run("anything")).stdout == "welcome\n"
        assert (server.connections, server.sessions, server.forwards) == (1, 1, 1)
        assert server.bytes_received > 1000
    target.close()


async def test_the_system_client_gets_in() -> None:
    assert shutil.which("ssh"), "openssh-client is missing: make system"
    options = [
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "BatchMode=yes",
    ]
    with SshServer() as server:
        client = await asyncio.create_subprocess_exec(
            "ssh", *options, "-p", str(server.port), "someone@127.0.0.1", "hello", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await client.communicate()
        assert (client.returncode, out) == (0, b"welcome\n")
        assert server.sessions == 1


async def test_closing_cuts_open_connections() -> None:
    server = SshServer()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        assert connection.recv(100).startswith(b"SSH-2.0-")
        server.close()
        server.close()
        assert connection.recv(100) == b""
    assert server.bytes_received == 0
