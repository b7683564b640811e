"""S2, T10: the vDSO as the GNU C library uses it; the rest of it is in usertests (user/usertests/vdso.c)."""
from __future__ import annotations

import pytest

OPTIONS = ("-fexceptions", "-fnon-call-exceptions", "-fasynchronous-unwind-tables")


@pytest.fixture(scope="module")
def vdso_image(debian_with):
    return debian_with(["vdso", *OPTIONS])


@pytest.mark.parametrize("smp", [1, 4])
def test_T10_clocks_and_unwinding(boot, vdso_image, smp):
    """A handler is left by a long jump and by unwinding through the frame of the signal, clean-up code included."""
    m = boot(disks=[vdso_image], smp=smp, append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    assert "all ok" in m.check("vdso", timeout=120)
