"""Runs a command on a pseudo-terminal, and reads its screen as a terminal shows it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pyte


def screen(
    arguments: list[str], columns: int, environment: dict[str, str], lines: int = 200
) -> tuple[list[str], bytes]:
    """The lines of the screen without blanks at their ends, and the bytes that the terminal received."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    env = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "mesahub", *arguments],
        stdin=slave, stdout=slave, stderr=slave, env={**env, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(slave)
    received = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux reports the end of a terminal as an error
            break
        if not piece:
            break
        received += piece
    process.wait(30)
    os.close(master)
    shown = pyte.Screen(columns, lines)
    pyte.ByteStream(shown).feed(received)
    text = [line.rstrip() for line in shown.display]
    while text and not text[-1]:
        text.pop()
    return text, received
