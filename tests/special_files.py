"""Everything but a regular file that a name can stand for."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest


def make_device(path: Path) -> None:
    """Make a device like /dev/null: were it replaced by mistake, only the test would notice."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root may make a device")


def make_socket(path: Path) -> None:
    """Make a Unix socket; its path may be longer than sockets allow."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def make_link(path: Path) -> None:
    """Make a link to a regular file that must stay as it is."""
    path.with_name("target").write_bytes(b"target")
    path.symlink_to("target")


SPECIAL_FILES: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": make_socket,
    "device": make_device,
    "link": make_link,
    "link to a device": lambda path: path.symlink_to("/dev/null"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
}
"""By name: what makes one at a path."""
