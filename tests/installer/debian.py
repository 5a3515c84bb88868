"""A clean tree of Debian, and the package of a board, newer and older."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

NOT_LOOKED_AT = {"root", "proc", "dev", "sys"}
"""What the kernel shows, where processes come and go, and where tests put their files."""


def run(*command, check: bool = True) -> subprocess.CompletedProcess:
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert finished.returncode == 0 or not check, finished.stdout + finished.stderr
    return finished


class Board:
    """A tree of Debian with nothing but its base, Python, udev and systemd.

    Attributes:
        tree: its root.
        enter: command that others are run by.
    """

    def __init__(self, tree: Path):
        self.tree = tree
        self.enter: tuple = ("chroot", tree)

    def run(self, *command, check: bool = True) -> subprocess.CompletedProcess:
        return run(*self.enter, *command, check=check)

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """With the devices and processes that programs look at; systemd does not run."""
        for name in ("null", "urandom", "zero"):
            (self.tree / "dev" / name).unlink(missing_ok=True)
            run("cp", "-a", f"/dev/{name}", self.tree / "dev")
        run("mount", "-t", "proc", "proc", self.tree / "proc")
        try:
            yield
        finally:
            run("umount", self.tree / "proc")

    @contextlib.contextmanager
    def booted(self) -> Iterator[None]:
        """Started by its own systemd, in namespaces, with a network of its own."""
        options = ("--register=no", "--keep-unit", "--private-network", "--quiet", "--boot")
        silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        machine = subprocess.Popen(["systemd-nspawn", "-D", self.tree, *options], **silent)
        chroot = self.enter
        try:
            self.enter = ("nsenter", "-t", _init_of(machine), "-m", "-p", "-i", "-u", "-n", "-r", "-w", "--")
            until(
                lambda: (
                    self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")
                )
            )
            yield
        finally:
            self.enter = chroot
            machine.terminate()
            machine.wait(timeout=60)

    def _is_up(self) -> bool:
        # Degraded: a unit of the system cannot work in namespaces.
        said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return said in ("running", "degraded")

    def named_wool(self) -> set[str]:
        """All there is whose name has the word, but for dpkg's own notes."""
        found = set()
        for folder, folders, files in os.walk(self.tree):
            here = Path(folder).relative_to(self.tree)
            if here == Path():
                folders[:] = set(folders) - NOT_LOOKED_AT
            found |= {f"/{here / name}" for name in (*folders, *files) if "wool" in name}
        return {path for path in found if "/dpkg/info/" not in path}


def _init_of(machine: subprocess.Popen) -> int:
    """The first process of a machine, which is the child of systemd-nspawn, once it is there."""
    children = Path(f"/proc/{machine.pid}/task/{machine.pid}/children")
    until(lambda: machine.poll() is not None or children.read_text().split())
    assert machine.poll() is None, "systemd-nspawn cannot start a machine here"
    return int(children.read_text().split()[0])


def until(true, seconds: float = 90) -> None:
    """Waits for something."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"did not happen within {seconds:g} s"
        time.sleep(0.2)


def newer(package: Path, folder: Path) -> Path:
    """The same package, with a higher version and one more file."""
    run("dpkg-deb", "-R", package, folder / "unpacked")
    control = folder / "unpacked/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 99.0", control.read_text(), flags=re.M))
    (folder / "unpacked/opt/wool/tflite/new.txt").write_text("new\n")
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "unpacked", folder / "newer.deb")
    return folder / "newer.deb"
