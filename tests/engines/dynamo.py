"""Record a Dynamo front end and a mocker (a worker that plays an engine): pages, KV cache events, forward passes.

    dynamo.py --model DIR --out DIR [--port N] [--seconds N] [--concurrency N]

Run it with the Python of an environment that has ai-dynamo, tokenizers and pyzmq. It starts both programs and stops them. There is no
etcd and no NATS: they find each other through files, and publish over ZeroMQ. The mocker binds to all interfaces.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from kv_events import FrameRecorder
from record import KINDS, MODEL, Client, Load, report

PATIENCE = 120
BLOCK, BLOCKS = 16, 200


class DynamoClient(Client):
    """Stop tokens are not asked for: the mocker makes tokens that mean nothing."""

    def post(self, body: dict[str, Any]) -> Any:
        if body.get("stream"):
            body["stream_options"] = {"include_usage": True}
        return super().post({k: v for k, v in body.items() if k != "stop_token_ids"})


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as response:
        return bytes(response.read())


def eventually(what: str, ask: Any) -> Any:
    for _ in range(PATIENCE * 2):
        try:
            if found := ask():
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.5)
    raise RuntimeError(f"{what} took longer than {PATIENCE} s")


def published(store: Path, topic: str) -> str | None:
    """Where a topic of the event plane is published: the port is chosen anew by each start."""
    for file in store.glob("v1/event_channels/*"):
        channel = json.loads(file.read_text())
        if channel["topic"] == topic:
            return "tcp://127.0.0.1:" + channel["transport"]["config"]["endpoint"].rsplit(":", 1)[1]
    return None


def record(args: argparse.Namespace, store: Path, commands: dict[str, list[str]]) -> None:
    client = DynamoClient(f"http://127.0.0.1:{args.port}")
    eventually("the model", lambda: MODEL.encode() in read(client.url + "/v1/models"))
    args.out.mkdir(parents=True, exist_ok=True)
    streams = {
        "kv-events": FrameRecorder(f"tcp://127.0.0.1:{args.port + 2}"),
        "forward-passes": FrameRecorder(eventually("the forward passes", lambda: published(store, "forward-pass-metrics"))),
    }
    snapshots = []

    def snapshot(after: str) -> None:
        time.sleep(2)
        n = len(snapshots)
        for name, port in (("frontend", args.port), ("worker", args.port + 1)):
            (args.out / f"{name}-{n:03d}.prom").write_bytes(read(f"http://127.0.0.1:{port}/metrics"))
        snapshots.append({
            "unix_time": round(time.time(), 3), "after": after,
            "messages": len(streams["kv-events"].messages), "passes": len(streams["forward-passes"].messages),
        })

    try:
        snapshot("start")
        Load(client, args.seconds, args.concurrency, interrupted=False).wait()
        snapshot("load")
    finally:
        for stream in streams.values():
            stream.stop()
    for name, stream in streams.items():
        stream.write(args.out / f"{name}.frames")
    names = ("ai-dynamo", "ai-dynamo-runtime", "pyzmq")
    meta = {
        "engine": "dynamo",
        "versions": {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names},
        "commands": commands,
        "snapshots": snapshots,
        "load": {"seconds": args.seconds, "concurrency": args.concurrency, "kinds": KINDS},
        "client": report(client),
    }
    (args.out / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    lines = (" [" + ", ".join(str(n) for n in request) + "]" for request in client.requests)
    (args.out / "requests.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(json.dumps({**report(client), "snapshots": snapshots}, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="from make_tiny_llama.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8000, help="of the front end; the worker takes the next three")
    parser.add_argument("--seconds", type=float, default=6, help="of the load")
    parser.add_argument("--concurrency", type=int, default=4)
    args = parser.parse_args()
    planes = ["--discovery-backend", "file", "--event-plane", "zmq", "--request-plane", "tcp"]
    commands = {
        "worker": ["-m", "dynamo.mocker", "--model-path", "./" + args.model.name, "--model-name", MODEL, "--num-gpu-blocks-override",
                   str(BLOCKS), "--block-size", str(BLOCK), "--max-num-seqs", "4", "--max-num-batched-tokens", "256",
                   "--zmq-kv-events-ports", str(args.port + 2), "--zmq-replay-ports", str(args.port + 3), *planes],
        "frontend": ["-m", "dynamo.frontend", "--http-host", "127.0.0.1", "--http-port", str(args.port), "--router-mode", "kv", *planes],
    }
    with tempfile.TemporaryDirectory() as work:
        store = Path(work) / "kv"
        environment = {**os.environ, "DYN_FILE_KV": str(store), "HF_HUB_OFFLINE": "1", "TMPDIR": work}
        started = []
        try:
            for name, command in commands.items():
                own = {"DYN_SYSTEM_PORT": str(args.port + 1), "DYN_SYSTEM_HOST": "127.0.0.1"} if name == "worker" else {}
                with (args.model.parent / f"{name}.log").open("wb") as log:
                    started.append(subprocess.Popen([sys.executable, *command], cwd=args.model.parent, env=environment | own, stdout=log, stderr=log))
            record(args, store, {name: ["python", *command] for name, command in commands.items()})
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(timeout=PATIENCE)


if __name__ == "__main__":
    main()
