"""What httpd is to load first (the folder preload): a name server, a wall clock, a host without ports: a file
steers each."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import Iterator

import pytest

from httpdlab import LAB


def build(folder: str, *names: str) -> str:
    """Compile preload/NAME.c into `folder`; HTTPD_PRELOAD with them behind those that there are."""
    paths = []
    for name in names:
        paths.append(f"{folder}/{name}.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror",
                        "-o", paths[-1], f"{LAB}/preload/{name}.c", "-ldl"], check=True)
    os.chmod(folder, 0o755)
    return " ".join([os.environ.get("HTTPD_PRELOAD", ""), *paths]).strip()


class Names:
    """The file of the name server."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/names"
        self.known: dict[str, str] = {}
        open(f"{self.path}.queried", "w", encoding="ascii").close()
        os.chmod(f"{self.path}.queried", 0o666)
        self.set()

    def set(self, **names: str) -> None:
        """Each with its addresses; "?": no response; "!": there is no memory for it."""
        self.known.update(names)
        with open(f"{self.path}.new", "w", encoding="ascii") as f:
            f.writelines(f"{name}.test {addresses}\n" for name, addresses in self.known.items())
        os.rename(f"{self.path}.new", self.path)

    def lookups(self, name: str) -> int:
        """The number of lookups of this name."""
        with open(f"{self.path}.queried", encoding="ascii") as f:
            return f.read().split().count(f"{name}.test")


class Faults:
    """The file that lets connecting fail."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/connect"
        self.set(0, 0, 0)
        os.chmod(self.path, 0o666)

    def set(self, port: int, error: int, streams: int, datagrams: int = 0) -> None:
        """The next so many sockets of either kind that connect to that port get this errno."""
        with open(self.path, "w", encoding="ascii") as f:
            f.write(f"{port} {error} {streams} {datagrams} \n")

    def left(self) -> tuple[int, int]:
        """The numbers of sockets that are left to fail."""
        with open(self.path, encoding="ascii") as f:
            _, _, streams, datagrams = map(int, f.read().split())
        return streams, datagrams


@pytest.fixture(scope="module")
def preload(request, tmp_path_factory) -> str:
    """HTTPD_PRELOAD with what the module of the test lists as PRELOADS."""
    return build(str(tmp_path_factory.mktemp("preload")), *request.module.PRELOADS)


@pytest.fixture
def control() -> Iterator[str]:
    """The folder of the files that steer the preloads, which httpd's children may enter."""
    folder = tempfile.mkdtemp(prefix="httpdlab.")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def names(control) -> Names:
    """Lookups that still wait when the folder goes get a response."""
    return Names(control)


@pytest.fixture
def faults(control) -> Faults:
    return Faults(control)
