"""Record SGLang on a CPU under a small load: its pages and KV cache events.

    sglang_cpu.py --model DIR --out DIR [--port N] [--seconds N] [--concurrency N]

Run it with the Python of an environment that has sglang (README.md says how). It starts the server on 127.0.0.1, and stops it.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
from pathlib import Path
from typing import Any

from kv_events import FRAMES_FILE, FrameRecorder
from record import KINDS, MODEL, Client, Load, Recorder, report

# A server may need five minutes on a busy machine of two cores.
PATIENCE = 900
PAGE, TOKENS = 16, 3200
# What is kept of what the server tells of itself.
TOLD = ("version", "served_model_name", "page_size", "max_total_num_tokens", "attention_backend", "device", "kv_events", "disaggregation_mode")


class SGLangClient(Client):
    def post(self, body: dict[str, Any]) -> Any:
        if body.get("stream"):
            body["stream_options"] = {"include_usage": True}
        return super().post(body)


def command(model: Path, port: int, streams: Path) -> list[str]:
    events = {"publisher": "zmq", "endpoint": f"ipc://{streams}/kv-events"}
    return [
        "-m", "sglang.launch_server", "--model-path", "./" + model.name, "--served-model-name", MODEL, "--load-format", "dummy",
        "--dtype", "float32", "--device", "cpu", "--attention-backend", "torch_native", "--host", "127.0.0.1", "--port", str(port),
        "--enable-metrics", "--enable-cache-report", "--page-size", str(PAGE), "--max-total-tokens", str(TOKENS), "--chunked-prefill-size", "256",
        "--max-running-requests", "4", "--mem-fraction-static", "0.1", "--skip-server-warmup", "--disable-overlap-schedule",
        "--kv-events-config", json.dumps(events),
    ]


def wait_until_healthy(recorder: Recorder, server: subprocess.Popen) -> None:
    for _ in range(PATIENCE):
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        try:
            recorder.get("/v1/models")
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(1)
    raise RuntimeError(f"the server was not ready within {PATIENCE} s")


def record(args: argparse.Namespace, recorder: Recorder, frames: FrameRecorder, started: list[str]) -> None:
    client = recorder.client
    told = json.loads(recorder.get("/server_info"))
    recorder.write_json("server_info.json", {k: told[k] for k in TOLD if k in told})

    def snapshot(after: str) -> None:
        time.sleep(args.idle)
        recorder.snapshot()
        recorder.snapshots[-1].update(after=after, messages=len(frames.messages))

    try:
        snapshot("start")
        for _ in range(2):
            Load(client, args.seconds / 2, args.concurrency, interrupted=False).wait()
            snapshot("load")
    finally:
        frames.stop()
    frames.write(args.out / FRAMES_FILE)
    names = ("sglang", "torch", "transformers", "triton", "prometheus_client", "pyzmq")
    recorder.write_json("meta.json", {
        "engine": "sglang",
        "versions": {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names},
        "command": started,
        "metrics_content_type": recorder.content_type,
        "snapshots": recorder.snapshots,
        "load": {"seconds": args.seconds, "concurrency": args.concurrency, "kinds": KINDS},
        "client": report(client),
    })
    lines = (" [" + ", ".join(str(n) for n in request) + "]" for request in client.requests)
    (args.out / "requests.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(json.dumps({**report(client), "snapshots": recorder.snapshots}, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="from make_tiny_llama.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port", type=int, default=30000)
    parser.add_argument("--seconds", type=float, default=20, help="of both loads together")
    parser.add_argument("--concurrency", type=int, default=6, help="more than may run at once, so that requests wait")
    parser.add_argument("--idle", type=float, default=3, help="before a page is read")
    args = parser.parse_args()
    args.model = args.model.resolve()
    recorder = Recorder(SGLangClient(f"http://127.0.0.1:{args.port}"), args.out)
    with tempfile.TemporaryDirectory() as work:
        started = command(args.model, args.port, Path(work))
        with (args.model.parent / "sglang.log").open("wb") as log:
            server = subprocess.Popen([sys.executable, *started], cwd=args.model.parent, stdout=log, stderr=log, start_new_session=True,
                                      env={**os.environ, "HF_HUB_OFFLINE": "1"})
        try:
            wait_until_healthy(recorder, server)
            frames = FrameRecorder(f"ipc://{work}/kv-events")
            record(args, recorder, frames, ["python", *(text.replace(work, "/run/sglang") for text in started)])
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=60)


if __name__ == "__main__":
    main()
