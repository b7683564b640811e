"""D1: what `make qemu-gdb` and .gdbinit give: source-level debugging of the kernel and of user programs."""
from __future__ import annotations

import re
import subprocess
import time

import pytest

from xv39 import paths, speed
from xv39.machine import Machine

GDB = paths.gdb()
pytestmark = pytest.mark.skipif(GDB is None, reason="no gdb for riscv64: make setup")


@pytest.fixture
def debug(boot, tmp_path, request):
    """debug(commands, **machine): what gdb says when it runs .gdbinit and then these on a machine that waits."""
    def start(*commands: str, timeout: float = 120, **how) -> tuple[Machine, str]:
        template = (paths.TOP / ".gdbinit.tmpl").read_text()
        socket = tmp_path / "gdb"
        init = tmp_path / "gdbinit"
        init.write_text(template.replace("127.0.0.1:@PORT@", str(socket)))
        m = boot(extra=["-S", "-chardev", f"socket,id=gdb,path={socket},server=on,wait=off", "-gdb", "chardev:gdb"], **how)
        limit = time.monotonic() + 30 * speed.factor()
        while not socket.exists():
            assert time.monotonic() < limit, "QEMU did not start"
            time.sleep(0.05)
        arguments = [GDB, "-nx", "-batch", "-x", str(init)]
        for command in commands:
            arguments += ["-ex", command]
        try:
            done = subprocess.run(arguments, cwd=paths.TOP, capture_output=True, text=True, errors="replace",
                                  stdin=subprocess.DEVNULL, timeout=timeout * speed.factor())
        except subprocess.TimeoutExpired as late:
            said = (late.stdout or b"").decode(errors="replace")
            pytest.fail(f"gdb did not finish {commands}:\n{said[-3000:]}")
        return m, done.stdout + done.stderr

    return start


def test_D1_break_in_the_kernel(debug):
    _, said = debug("boot", "backtrace", "info source")
    assert re.search(r"#0 +(0x[0-9a-f]+ in )?kernel_main", said), said
    assert "kernel/main.c" in said


def test_D1_backtrace_through_a_trap(debug):
    """From a system call's code back to the user's registers, by way of the trap's entry."""
    _, said = debug("boot", "hbreak sys_write", "continue", "backtrace")
    assert re.search(r"#0 +(0x[0-9a-f]+ in )?sys_write", said), said
    assert re.search(r"(?m)^#[1-9]\d* .*(<signal handler called>|trap)", said), said
    assert re.search(r"(?m)^#[1-9]\d* +0x00000000000[0-9a-f]+ in", said), said  # the program


def test_D1_every_hart_is_a_thread(debug):
    _, said = debug("boot", "info threads", smp=4)
    assert len(re.findall(r"(?m)^[* ] +\d+ +Thread ", said)) == 4, said


def test_D1_break_in_a_user_program(debug):
    _, said = debug("boot", "user sh", "hbreak main", "continue", "backtrace 1", "info symbol $pc")
    assert re.search(r"#0 .*main .*user/sh", said), said


def test_D1_gdbinit_names_the_users_port():
    """The file that `make qemu-gdb` writes."""
    out = paths.run("make", "-s", "-n", "-W", ".gdbinit.tmpl", ".gdbinit", cwd=paths.TOP).stdout
    port = re.search(r"s/@PORT@/(\d+)/", out)
    assert port and 25000 <= int(port.group(1)) < 30000, out


def test_D1_a_hart_that_firmware_sends_to_the_wrong_place(debug):
    """OpenSBI before 1.3 may start a second hart at the kernel's first instruction, with the boot hart's arguments."""
    m, said = debug("boot", "print/x (unsigned long)&secondary_start & 0xffffffff", "thbreak *$", "continue",
                    "print/x $pc = (unsigned long)&_start & 0xffffffff", "print $a1 = 0", smp=2)
    assert re.search(r"(?s)Temporary breakpoint 2, 0x[0-9a-f]+.*= 0x80200000\n", said), said
    m.wait_prompt()
    assert "0 failed" in m.run("usertests S8_affinity")[1]
    m.poweroff()


INTERRUPTED = """python
first = int(gdb.parse_and_eval("(unsigned long)&thread_first"))
code = [(line["asm"].split()[0], line["addr"]) for line in gdb.selected_frame().architecture().disassemble(first, first + 64)]
end = [name for name, _ in code].index("j")
for _, address in code[end - 2:end + 1]:
    gdb.Breakpoint("*%d" % address, type=gdb.BP_HARDWARE_BREAKPOINT)
for _ in range(6):
    gdb.execute("continue", to_string=True)
    gdb.execute("set $sip = 2")
gdb.execute("delete")
end
"""


def test_T1_a_new_process_is_interrupted_at_every_instruction(debug, tmp_path):
    """Init and its shell, on their way to user code: what they return to is on their stacks by then, and stays."""
    script = tmp_path / "interrupted.gdb"
    script.write_text(INTERRUPTED)
    m, said = debug("boot", f"source {script}", 'printf "went through\\n"')
    assert "went through" in said and "Error" not in said, said
    m.wait_prompt()
    m.poweroff()
