"""A clean Debian 12 and the package of a board, made once for all tests of this folder."""

import os
import shutil
import sys

import debian
import pytest
from debian import Board

from checkout import ROOT


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A tree that every test copies."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for chroot")
    if not shutil.which("debootstrap"):
        pytest.skip("needs debootstrap")
    tree = tmp_path_factory.mktemp("debian") / "base"
    debian.run("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,python3,udev", "bookworm", tree)
    return tree


@pytest.fixture
def board(base, tmp_path):
    debian.run("cp", "-a", base, tmp_path / "tree")
    return Board(tmp_path / "tree")


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    out = tmp_path_factory.mktemp("package")
    debian.run(sys.executable, ROOT / "installer" / "build_package.py", "--arch=amd64", f"--out={out}")
    return next(out.glob("wool-station_*_amd64.deb"))
