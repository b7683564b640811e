"""I6, I7, I8: programs of npm that bring their own threads, signals and event loops."""
from __future__ import annotations

import json
import shutil

import pytest

from test_real_tasks import start
from xv39 import images

ESBUILD = "@esbuild/linux-riscv64@0.28.2"
DPRINT = "@dprint/linux-riscv64-glibc@0.54.0"
DPRINT_JSON = "@dprint/json@0.24.0"


class TestEsbuild:
    """A static Go program bundles three files into one."""
    FILES = {"main.ts": 'import {add} from "./add"; import data from "./data.json"; console.log(add(1 as number, data.n));',
             "add.ts": "export const add = (x: number, y: number): number => x + y; export const unused = 1",
             "data.json": json.dumps({"n": 41})}

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        def fill(root):
            shutil.copy(images.npm_package(ESBUILD) / "bin/esbuild", root / "bin/esbuild")
            (root / "src").mkdir()
            for name, text in self.FILES.items():
                (root / "src" / name).write_text(text)

        return debian_with(add=fill)

    @pytest.mark.parametrize("smp", [1, 4])
    def test_I6_I8_esbuild(self, boot, disk, smp):
        m = start(boot, disk, smp)
        m.check("cd /src && esbuild --bundle --minify main.ts --outfile=/tmp/out.js", 240)
        assert m.check("cat /tmp/out.js") == "(()=>{var o=(r,e)=>r+e;var n={n:41};console.log(o(1,n.n));})();\n"
        status, output = m.run("echo 'import \"./missing\"' > bad.ts; esbuild --bundle bad.ts", 240)
        assert status == 1 and "Could not resolve" in output


class TestDprint:
    """A dynamic Rust program compiles its plug-in from WebAssembly with as many threads as there are harts, and formats."""

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        def fill(root):
            program = root / "bin/dprint"
            shutil.copy(images.npm_package(DPRINT) / "dprint", program)
            images.install_libraries(root, program)
            folder = root / "src"
            folder.mkdir()
            shutil.copy(images.npm_package(DPRINT_JSON) / "plugin.wasm", folder)
            (folder / "dprint.json").write_text('{"json": {"indentWidth": 4}, "includes": ["data/*.json"], "plugins": ["./plugin.wasm"]}')
            (folder / "data").mkdir()
            for i in range(20):
                (folder / f"data/{i}.json").write_text('{\n"b":[1,2,   %d],"a":{"x":true}}' % i)

        return debian_with(add=fill)

    @pytest.mark.slow
    @pytest.mark.parametrize("smp", [1, 4])
    def test_I6_I8_dprint(self, boot, disk, smp):
        m = start(boot, disk, smp)
        assert "20" in m.check("cd /src && HOME=/tmp NO_COLOR=1 DPRINT_CACHE_DIR=/tmp/cache dprint fmt", 900)
        for i in (0, 19):
            assert m.check(f"cat data/{i}.json") == '{\n    "b": [1, 2, %d],\n    "a": { "x": true }\n}\n' % i
