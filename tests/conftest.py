"""Fixtures of all tests: machines that are ended and whose console is shown when a test fails."""
from __future__ import annotations

import os

import pytest

from xv39 import images, paths, speed
from xv39.machine import Machine

_machines: dict[str, list[Machine]] = {}


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too (or XV39_SLOW=1)")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow") or os.environ.get("XV39_SLOW"):
        items.sort(key=lambda item: not item.get_closest_marker("slow"))  # the long ones first: none is left to the end
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: --slow runs it"))


def pytest_report_header():
    return f"kernel {paths.KERNEL}, {paths.QEMU}, logs in {paths.LOGS}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for machine in _machines.get(item.nodeid, []):
            report.sections.append((f"console: {machine.log}", machine.tail()))


@pytest.fixture
def boot(request):
    """boot(**what Machine takes) starts a machine on fs.img (or on disks=[...]); it ends with the test."""
    mine = _machines.setdefault(request.node.nodeid, [])

    def start(**how) -> Machine:
        how.setdefault("disks", [paths.FSIMG])
        how.setdefault("name", request.node.name)
        mine.append(Machine(**how))
        return mine[-1]

    yield start
    for machine in mine:
        machine.close()
    _machines.pop(request.node.nodeid, None)


@pytest.fixture
def shell(boot):
    """shell(**how): a machine at its shell's prompt."""
    def start(**how) -> Machine:
        machine = boot(**how)
        machine.wait_prompt()
        return machine

    return start


@pytest.fixture(scope="session")
def debian_root(tmp_path_factory):
    """A folder with Debian's static busybox and bash."""
    return images.debian_root(tmp_path_factory.mktemp("debian"))


@pytest.fixture(scope="session")
def debian_with(debian_root, tmp_path_factory):
    """debian_with(["races", "-O1"]): an image of it, where busybox's sh is /bin/sh, with programs from tests/programs, each
    with what the compiler is to be told. add(root) may add more."""
    def make(*programs: list[str], add=lambda root: None):
        root = tmp_path_factory.mktemp("root")
        paths.run("cp", "-a", f"{debian_root}/.", root)
        for name, *options in programs:
            images.build(paths.TOP / f"tests/programs/{name}.c", root / "bin" / name, *options)
        add(root)
        return images.make_ext2(tmp_path_factory.mktemp("image") / "debian.img", root, "96M")

    return make


@pytest.fixture(scope="session")
def debian_image(debian_with):
    return debian_with()


@pytest.fixture(scope="session", autouse=True)
def speed_of_this_machine():
    speed.factor()
