"""Builds the Debian package of a board: programs, environment, units and rules in one file, for one architecture.

    python installer/build_package.py --arch=arm64 --out=build

The environment is a virtual environment whose packages are unpacked here, from the wheels of the versions in
constraints.txt, for each Python of PYTHONS. So the board needs neither network nor pip, and dpkg knows every file.
Needs dpkg-deb, git (for the version), and a network or a pip that has the wheels.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NAME = "wool-station"

PYTHONS = {"3.11": 36, "3.13": 41}
"""Python of Debian 12 and of Debian 13, each with the minor version of its C library, which wheels are built for."""

ARCHITECTURES = {"arm64": "aarch64", "amd64": "x86_64"}
"""Debian's names and those of wheels."""

UNUSED = {"setuptools"}
"""What colorzero asks for and does not import."""

COMMANDS = ("wool-station", "wool-classify", "wool-benchmark", "wool-inspect", "wool-gate", "wool-mqtt")

CONTROL = """\
Package: {name}
Version: {version}
Architecture: {arch}
Maintainer: The wool_tf developers <wool_tf@localhost>
Installed-Size: {kilobytes}
Depends: python3 (>= 3.11), python3 (<< 3.14), systemd, passwd
Recommends: python3-lgpio
Section: science
Priority: optional
Description: inspection of mineral wool on a belt, with X-rays
 Recognises defective mineral wool in the lines of an X-ray detector, drives a
 gate, keeps and shows what was rejected, and tells a broker of it. With all
 Python packages that it needs. `wool-station doctor` says whether all is well.
"""


def build(arch: str, out: Path) -> Path:
    """The path of the package, made anew."""
    version = _version()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        # A file that only its maker may read is not to become one that nobody may on the board.
        os.umask(0o022)
        shutil.copytree(HERE / "root", tree, symlinks=True)
        _copy_programs(tree)
        for python in PYTHONS:
            _unpack_wheels(tree, python, arch)
        _write_environment(tree)
        _write_control(tree, arch, version)
        out.mkdir(parents=True, exist_ok=True)
        package = out / f"{NAME}_{version}_{arch}.deb"
        _run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z6", "--build", tree, package)
    return package


def _version() -> str:
    """Of the board's package, the number of commits and the commit: it grows with each, so that upgrades are such."""
    number = tomllib.loads((ROOT / "tflite" / "pyproject.toml").read_text())["project"]["version"]
    try:
        count = _run("git", "-C", ROOT, "rev-list", "--count", "HEAD").strip()
        commit = _run(
            "git", "-C", ROOT, "describe", "--always", "--dirty=.changed", "--abbrev=8", "--exclude=*"
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return number
    return f"{number}+{count}.{commit}"


def _copy_programs(tree: Path) -> None:
    programs, units = tree / "opt/wool/tflite", tree / "usr/lib/systemd/system"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    shutil.copytree(ROOT / "tflite", programs, ignore=ignored)
    units.mkdir(parents=True)
    for unit in (ROOT / "tflite").glob("*.service"):
        shutil.copy(unit, units)
    shutil.copy(ROOT / "LICENSE", tree / "opt/wool")
    links = tree / "usr/bin"
    links.mkdir(parents=True)
    for command in COMMANDS:
        (links / command).symlink_to("/opt/wool/bin/program")


def _site(tree: Path, python: str) -> Path:
    return tree / f"opt/wool/.venv/lib/python{python}/site-packages"


def _unpack_wheels(tree: Path, python: str, arch: str) -> None:
    """Puts the packages for a Python into the environment; fails if one is missing or not as another wants it."""
    machine, site = ARCHITECTURES[arch], _site(tree, python)
    lines = [line for line in (HERE / "wheels.txt").read_text().splitlines() if line and not line.startswith("#")]
    wanted = [Requirement(line) for line in lines]
    # pip would judge markers by the Python that runs it.
    names = [
        f"{one.name}{one.specifier}" for one in wanted if one.marker is None or one.marker.evaluate(_about(python))
    ]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(PYTHONS[python], 16, -1)]
    platforms.append(f"manylinux2014_{machine}")
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", site),
        *("--no-deps", "--no-compile", "--only-binary=:all:", "--implementation=cp", f"--python-version={python}"),
        *(f"--platform={platform}" for platform in platforms),
        *("--constraint", ROOT / "constraints.txt", *names),
    )
    # Programs of other packages, whose first line names this machine's Python.
    shutil.rmtree(site / "bin", ignore_errors=True)
    missing = _missing(site, python)
    if missing:
        raise SystemExit(f"installer/wheels.txt: {', '.join(missing)} is missing for Python {python}; add it")
    if not (site / "lgpio.py").exists():
        system = Path("/usr/lib/python3/dist-packages")
        for module in ("lgpio.py", f"_lgpio.cpython-{python.replace('.', '')}-{machine}-linux-gnu.so"):
            (site / module).symlink_to(system / module)


def _about(python: str) -> dict[str, str]:
    """What markers of requirements ask, of a board."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "extra": "",
    }


def _missing(site: Path, python: str) -> list[str]:
    """What the programs or a package in a folder need, and is not there in a version that will do."""
    present: dict[str, Distribution] = {
        canonicalize_name(one.metadata["Name"]): one for one in distributions(path=[str(site)])
    }
    asked = [line for one in present.values() for line in one.requires or []]
    project = tomllib.loads((ROOT / "tflite" / "pyproject.toml").read_text())["project"]
    asked += project["optional-dependencies"]["station"]
    requirements = (ROOT / "tflite" / "requirements.txt").read_text().splitlines()
    asked += [line for line in requirements if line and not line.startswith("#")]
    found = set()
    for need in map(Requirement, asked):
        name = canonicalize_name(need.name)
        if name in UNUSED or (need.marker and not need.marker.evaluate(_about(python))):
            continue
        if name not in present or not need.specifier.contains(present[name].version, prereleases=True):
            found.add(str(need))
    return sorted(found)


def _write_environment(tree: Path) -> None:
    """The rest of a virtual environment: Python takes the folder of its own version."""
    environment = tree / "opt/wool/.venv"
    (environment / "bin").mkdir()
    (environment / "bin/python").symlink_to("/usr/bin/python3")
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")


def _write_control(tree: Path, arch: str, version: str) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    for path in (*files, *(path for path in tree.rglob("*") if path.is_dir())):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    kilobytes = sum(path.stat().st_size for path in files) // 1024
    control = tree / "DEBIAN"
    shutil.copytree(HERE / "DEBIAN", control)
    fields = {"name": NAME, "version": version, "arch": arch, "kilobytes": kilobytes}
    (control / "control").write_text(CONTROL.format(**fields))
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]
    (control / "md5sums").write_text("".join(sums))


def _run(*command: str | Path) -> str:
    return subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> None:
    """Builds what the options say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--arch", choices=ARCHITECTURES, required=True, help="of the board, by Debian's name")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="folder for the package (build)")
    options = parser.parse_args()
    if not shutil.which("dpkg-deb"):
        raise SystemExit("dpkg-deb: is not installed; on other systems than Debian: install the package dpkg")
    package = build(options.arch, options.out)
    print(f"{package}  {package.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
