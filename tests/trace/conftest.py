"""One machine, traced once, for all tests that look at what came of it."""
from __future__ import annotations

import pytest

from xv39 import traces


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """Our disk with the program of the workloads, and a file that nobody has read."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "cold").write_bytes(bytes(range(1, 251)) * (traces.COLD // 250) + bytes(traces.COLD % 250))
    return traces.image_with(folder, {"/bin/traced": traces.program(folder), "/cold": folder / "cold"})


@pytest.fixture(scope="session")
def t(image, tmp_path_factory):
    """All workloads in one trace."""
    return traces.Traced(tmp_path_factory.mktemp("trace"), image, "; echo -; ".join(traces.WORKLOADS))
