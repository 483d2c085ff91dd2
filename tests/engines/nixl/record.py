#!/usr/bin/env python3
"""Make two agents of a real NIXL move memory within this process, and keep the telemetry they leave with what was done.

Needs a wheel of nixl or nixl-cu12 and numpy; neither a GPU nor a network. Each variant runs in a process of its own and gives
DIR/VARIANT/: the files as the library left them, and meta.json with the steps in the order of their events.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import types

AGENT, PEER = "a", "b"
VARIANTS = ("base", "overflow", "restart", "badsize", "store")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    p.add_argument("--variant", choices=VARIANTS, nargs="*", default=VARIANTS)
    p.add_argument("--child", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.child:
        run(args.child, args.out)
        return
    for variant in args.variant:
        out = args.out / variant
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        child = subprocess.run([sys.executable, __file__, "--child", variant, "--out", str(out)], timeout=120, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if child.returncode:
            shutil.rmtree(out)
            last = child.stdout.strip().splitlines()[-1:]
            print(f"{variant}: not recorded: {' '.join(last)}")
            continue
        print(f"{variant}: {', '.join(sorted(f.name for f in out.iterdir()))}")


def run(variant, out):
    with tempfile.TemporaryDirectory(prefix="nixl-") as where:
        os.environ.update(UCX_TLS="tcp,sm,self", NIXL_TELEMETRY_ENABLE="y")
        if variant == "store":
            os.environ.update(NIXL_TELEMETRY_EXPORTER="prometheus_mp", NIXL_TELEMETRY_MULTIPROC_DIR=where,
                              NIXL_TELEMETRY_PROMETHEUS_LOCAL="y", NIXL_TELEMETRY_PROMETHEUS_PORT=str(free_port()),
                              NIXL_TELEMETRY_BUFFER_SIZE="64", LOCAL_RANK="3")
        else:
            capacity = {"overflow": 8, "badsize": 6}.get(variant, 32)
            os.environ.update(NIXL_TELEMETRY_DIR=where, NIXL_TELEMETRY_BUFFER_SIZE=str(capacity))
        if variant == "overflow":
            os.environ["NIXL_TELEMETRY_RUN_INTERVAL"] = "3000"
        recording = Recording(where)
        getattr(recording, variant)()
        if variant == "store" and not any(recording.where.glob("nixl.*.mmap")):
            raise SystemExit("this release has no exporter prometheus_mp")
        recording.keep(out)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Recording:
    def __init__(self, where):
        self.where = pathlib.Path(where)
        self.steps = []
        self.error = None
        self.package, self.api = find()
        self.numpy = importlib.import_module("numpy")

    def base(self):
        with_peer = self.connect()
        self.transfer("WRITE", 1)
        self.transfer("READ", 2)
        self.transfer("WRITE", 16)
        self.fail()
        self.a.deregister_memory(with_peer)
        self.steps.append({"op": "deregister", "bytes": self.memory.nbytes})
        self.flush(0.5)

    def overflow(self):
        """The queue before the ring fills, then the ring itself; nobody reads."""
        began = time.monotonic()
        self.connect()
        for _ in range(3):
            self.transfer("WRITE", 1)
        if time.monotonic() - began > 2.5:
            raise SystemExit("too slow: a flush may have come between")
        self.flush(4)
        self.fail()
        self.fail()
        self.transfer("READ", 1)
        self.flush(3.5)

    def restart(self):
        """The same agent again with a smaller ring, while the file still holds what the first left."""
        handle = self.connect()
        self.transfer("WRITE", 1)
        self.transfer("READ", 1)
        self.flush(0.5)
        self.a.deregister_memory(handle)  # staged, and lost unless the release flushes at the end
        self.steps.append({"op": "deregister", "bytes": self.memory.nbytes})
        del handle, self.a
        os.environ["NIXL_TELEMETRY_BUFFER_SIZE"] = "16"
        self.a = self.start()
        self.register(self.a, self.memory)
        self.steps.append({"op": "register", "bytes": self.memory.nbytes})
        self.flush(0.5)

    def badsize(self):
        """Some releases refuse a capacity that is no power of two, some log it and go on without telemetry."""
        try:
            self.start()
        except Exception as e:
            self.error = f"{type(e).__name__}: {e}"

    def store(self):
        self.base()

    def start(self):
        self.steps.append({"op": "start", "capacity": int(os.environ["NIXL_TELEMETRY_BUFFER_SIZE"])})
        return self.agent(AGENT)

    def agent(self, name):
        config = self.api.nixl_agent_config(backends=["UCX"])
        return self.api.nixl_agent(name, config)

    def connect(self):
        self.a, self.b = self.start(), self.agent(PEER)
        self.memory = self.numpy.zeros(1 << 20, self.numpy.uint8)
        self.remote = self.numpy.ones(1 << 20, self.numpy.uint8)
        handle = self.register(self.a, self.memory)
        self.steps.append({"op": "register", "bytes": self.memory.nbytes})
        self.register(self.b, self.remote)
        self.a.add_remote_agent(self.b.get_agent_metadata())
        self.b.add_remote_agent(self.a.get_agent_metadata())
        return handle

    @staticmethod
    def register(agent, memory):
        handle = agent.register_memory([(memory.ctypes.data, memory.nbytes, 0, "")], "DRAM")
        if not handle:
            raise SystemExit("no memory registered")
        return handle

    def descriptors(self, memory, n, size=4096):
        # Every other page, so that the library does not merge them.
        at = memory.ctypes.data
        return self.a.get_xfer_descs([(at + 2 * i * size, size, 0) for i in range(n)], "DRAM")

    def transfer(self, op, n):
        handle = self.a.initialize_xfer(op, self.descriptors(self.memory, n), self.descriptors(self.remote, n), PEER, b"done")
        if not handle:
            raise SystemExit("no transfer made")
        state = self.a.transfer(handle)
        until = time.monotonic() + 10
        while state == "PROC" and time.monotonic() < until:
            state = self.a.check_xfer_state(handle)
        if state != "DONE":
            raise SystemExit(f"transfer: {state}")
        t = self.a.get_xfer_telemetry(handle)
        self.steps.append({"op": "transfer", "write": op == "WRITE", "bytes": t.totalBytes, "post_us": t.postDuration,
                           "duration_us": t.xferDuration, "descriptors": t.descCount})
        self.a.release_xfer_handle(handle)

    def fail(self):
        """Ask for memory that the peer never registered."""
        outside = self.a.get_xfer_descs([(8, 4096, 0)], "DRAM")
        try:
            self.a.initialize_xfer("WRITE", self.descriptors(self.memory, 1), outside, PEER, b"")
        except Exception as e:
            status = re.search(r"NIXL_ERR_(\w+)", str(e))
            if not status:
                raise
            self.steps.append({"op": "error", "status": status.group(1)})
            return
        raise SystemExit("memory outside of what is registered was taken")

    def flush(self, seconds):
        time.sleep(seconds)
        self.steps.append({"op": "flush"})

    def keep(self, out):
        files = {}
        for f in sorted(self.where.iterdir()):
            store = re.fullmatch(r"nixl\.(\d+)\.(\d+)\.(\d+)\.mmap", f.name)
            name = f"{store.group(3)}.mmap" if store else f"{f.name}.ring"
            if f.stat().st_size == 0:
                continue  # the lock of the endpoint
            files[name] = {"name": f.name, "mode": oct(f.stat().st_mode & 0o777)}
            (out / name).write_bytes(f.read_bytes())
        meta = {
            "package": self.package,
            "version": importlib.metadata.version(self.package),
            "environment": {k: v for k, v in sorted(os.environ.items())
                            if k.startswith(("NIXL_TELEMETRY_", "UCX_")) and not k.endswith("_DIR")},
            "agent": AGENT, "peer": PEER, "host": socket.gethostname(), "files": files, "steps": self.steps,
            "error": self.error,
        }
        (out / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def find():
    for package, module in (("nixl-cu12", "nixl_cu12._api"), ("nixl", "nixl._api")):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        if importlib.util.find_spec("torch") is None:
            # Wheels up to 1.2 import torch, only to ask whether memory is a tensor of it. None is here.
            stand_in = types.ModuleType("torch")
            stand_in.__getattr__ = lambda name: type(name, (), {})
            sys.modules["torch"] = stand_in
        return package, importlib.import_module(module)
    raise SystemExit("no wheel of NIXL is installed")


if __name__ == "__main__":
    main()
