"""Steps become options in their order; everything that holds the box together is there."""

from __future__ import annotations

from comptroller.enforce.sandbox.bwrap import Bind, Content, Empty, Link, Private, Special, encode, options


def build(*steps: object) -> tuple[list[str], list[bytes]]:
    contents: list[bytes] = []

    def descriptor(content: bytes) -> int:
        contents.append(content)
        return 100 + len(contents)

    return options(steps, directory="/work", descriptor=descriptor), contents  # type: ignore[arg-type]


def test_the_box_is_closed_on_every_side() -> None:
    words, _ = build()
    for word in ("user", "pid", "ipc", "uts", "net"):
        assert f"--unshare-{word}" in words
    assert "--die-with-parent" in words
    assert "--share-net" not in words and "--dev-bind" not in words
    assert words[words.index("--cap-drop") + 1] == "ALL"
    assert words.index("--cap-drop") < words.index("--cap-add")
    assert words[-4:] == ["--remount-ro", "/", "--chdir", "/work"]


def test_steps_in_order() -> None:
    words, contents = build(
        Bind(source="/a", target="/b"),
        Bind(source="/c", target="/c", writable=True),
        Content(target="/etc/x", content=b"one"),
        Private(target="/home/y", content=b"two", mode=0o600),
        Empty(target="/tmp", mode=0o1777),
        Empty(target="/proc/fs", mode=0o555, writable=False),
        Link(target="/bin", to="usr/bin"),
        Special(kind="proc", target="/proc"),
        Special(kind="dev", target="/dev"),
    )
    text = " ".join(words)
    assert contents == [b"one", b"two"]
    assert (
        "--ro-bind /a /b --bind /c /c --perms 0444 --ro-bind-data 101 /etc/x --perms 0600 --file 102 /home/y "
        "--perms 1777 --tmpfs /tmp --perms 0555 --tmpfs /proc/fs --symlink usr/bin /bin --proc /proc --dev /dev "
        "--perms 1777 --tmpfs /dev/shm --remount-ro /proc/fs --remount-ro /dev --remount-ro /"
    ) in text


def test_encoding_keeps_odd_names() -> None:
    assert encode(["--bind", "/a b\n", "/\udcff"]) == b"--bind\0/a b\n\0/\xff\0"
