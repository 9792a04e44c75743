"""Hosts in network namespaces: each has an address of its own, and a cable that can be pulled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HUB = "10.77.0.1"


def available() -> bool:
    """Tell whether this machine lets us make namespaces."""
    try:
        name = f"st-{os.getpid()}-try"
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


class Hosts:
    """A hub at `HUB`, and so many hosts on its bridge; processes of all of them.

    Parameters
    ----------
    number : int
    folder : Path
        Where processes write what they say.
    """

    def __init__(self, number: int, folder: Path) -> None:
        self.prefix, self.number, self.folder = f"st-{os.getpid()}", number, folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Hosts:
        self._ip("netns", "add", self.name(0))
        self._in(0, "link", "set", "lo", "up")
        self._in(0, "link", "add", "br0", "type", "bridge")
        self._in(0, "addr", "add", f"{HUB}/24", "dev", "br0")
        self._in(0, "link", "set", "br0", "up")
        for i in range(1, self.number + 1):
            self._ip("netns", "add", self.name(i))
            self._in(i, "link", "set", "lo", "up")
            peer = ("peer", "name", "eth0", "netns", self.name(i))
            self._in(0, "link", "add", f"v{i}", "type", "veth", *peer)
            self._in(0, "link", "set", f"v{i}", "master", "br0", "up")
            self._in(i, "addr", "add", f"10.77.0.{10 + i}/24", "dev", "eth0")
            self._in(i, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        for i in range(self.number + 1):
            subprocess.run(["ip", "netns", "del", self.name(i)], check=False)

    def name(self, host: int) -> str:
        """Return the namespace of a host; 0 is the hub."""
        return f"{self.prefix}-{host}"

    def start(self, host: int, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start Python on a host."""
        command = ["ip", "netns", "exec", self.name(host), sys.executable, *arguments]
        log = open(self.folder / f"log-{len(self.processes)}", "wb")  # noqa: SIM115  # the process's
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **environment}
        )
        log.close()
        self.processes.append(process)
        return process

    def pull(self, host: int) -> None:
        """Pull the cable of a host."""
        self._in(0, "link", "set", f"v{host}", "down")

    def _in(self, host: int, *arguments: str) -> None:
        self._ip("-n", self.name(host), *arguments)

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)
