"""Record the KV cache events of a vLLM server under a load, and hold what the collector makes of them against the server's page.

    kv_events.py record  --url URL --events ENDPOINT --out DIR [...] --command WHAT STARTED THE SERVER
    kv_events.py compare --url URL --collected FILE

`record` needs pyzmq, which the engine's environment has. `compare` reads what the file exporter wrote.
"""

import argparse
import json
import struct
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from record import KINDS, Client, Load, Recorder, report, versions

FRAMES_FILE = "kv-events.frames"


class FrameRecorder:
    """Subscribes to a publisher and keeps each message as the frames that came: topic, sequence number, payload."""

    def __init__(self, endpoint: str) -> None:
        import zmq

        self.messages: list[list[bytes]] = []
        self.stopped = threading.Event()
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)
        self.thread = threading.Thread(target=self.receive)
        self.thread.start()
        time.sleep(2)  # a publisher sends nothing to those whose subscription it has not read yet

    def receive(self) -> None:
        while not self.stopped.is_set():
            if self.socket.poll(100):
                self.messages.append(self.socket.recv_multipart())

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()
        self.socket.close()

    def write(self, path: Path) -> None:
        """Each frame is its length, four bytes, big-endian, and its bytes; each message is three frames."""
        with path.open("wb") as f:
            for message in self.messages:
                for frame in message:
                    f.write(struct.pack(">I", len(frame)) + frame)


def reset_prefix_cache(url: str) -> None:
    request = urllib.request.Request(url + "/reset_prefix_cache", method="POST")
    with urllib.request.urlopen(request, timeout=60) as response:
        if not json.load(response)["success"]:
            raise RuntimeError("the server did not reset its prefix cache")


def record(args: argparse.Namespace) -> None:
    """Two loads with a reset of the prefix cache between them; a page before, between and after."""
    client = Client(args.url)
    recorder = Recorder(client, args.out)
    frames = FrameRecorder(args.events)

    def snapshot(after: str) -> None:
        time.sleep(args.idle)
        recorder.snapshot()
        recorder.snapshots[-1].update(after=after, messages=len(frames.messages))

    try:
        snapshot("start")
        Load(client, args.seconds / 2, args.concurrency, interrupted=False).wait()
        snapshot("load")
        reset_prefix_cache(args.url)
        # The event goes out with the next step of the scheduler, so with the load.
        Load(client, args.seconds / 2, args.concurrency, interrupted=False).wait()
        snapshot("reset, load")
    finally:
        frames.stop()
    if not frames.messages:
        raise RuntimeError(f"nothing came from {args.events}")
    frames.write(args.out / FRAMES_FILE)
    recorder.write_json(
        "meta.json",
        {
            "engine": "vllm",
            "versions": versions(),
            "command": args.command,
            "metrics_content_type": recorder.content_type,
            "snapshots": recorder.snapshots,
            "load": {"seconds": args.seconds, "concurrency": args.concurrency, "kinds": KINDS},
            "client": report(client),
        },
    )
    lines = (" [" + ", ".join(str(n) for n in request) + "]" for request in client.requests)
    (args.out / "requests.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(json.dumps({**report(client), "messages": len(frames.messages)}, indent=2))


def page(url: str) -> dict[str, float]:
    """The series of the engine's own counters of its cache, without labels, added up."""
    names = ("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total", "vllm:kv_cache_usage_perc",
             "vllm:num_preemptions_total", "vllm:kv_block_lifetime_seconds_count")
    found: dict[str, float] = {}
    with urllib.request.urlopen(url + "/metrics", timeout=60) as response:
        for line in response.read().decode().splitlines():
            name = line.split("{")[0]
            if name in names:
                found[name] = found.get(name, 0) + float(line.rsplit(" ", 1)[1])
            elif name == "vllm:cache_config_info":
                found["num_gpu_blocks"] = float(line.split('num_gpu_blocks="')[1].split('"')[0])
    return found


def collected(path: Path) -> dict[str, float]:
    """The last value of each metric of the cache and of the stream, by its attributes."""
    last: dict[str, float] = {}
    for line in path.read_text().splitlines():
        for resource in json.loads(line)["resourceMetrics"]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    last.update(points(metric))
    return dict(sorted(last.items()))


def points(metric: dict[str, Any]) -> dict[str, float]:
    name = metric["name"]
    if not name.startswith(("llm.engine.kv_cache.", "llm.source.", "llm.estimate.coverage", "up")):
        return {}
    found = {}
    for kind in ("sum", "gauge"):
        for point in metric.get(kind, {}).get("dataPoints", []):
            attributes = ",".join(str(next(iter(a["value"].values()))) for a in point.get("attributes", []))
            found[f"{name}{{{attributes}}}"] = float(point.get("asInt", point.get("asDouble", 0)))
    return found


def compare(args: argparse.Namespace) -> None:
    print(json.dumps({"page": page(args.url), "collected": collected(args.collected)}, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("--url", required=True, help="for example http://127.0.0.1:8000")
    parser.add_argument("--events", help="endpoint of the publisher, for example ipc:///path")
    parser.add_argument("--seconds", type=float, default=12, help="of both loads together")
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--idle", type=float, default=3, help="before a page is read")
    parser.add_argument("--out", type=Path, help="directory of the recording")
    parser.add_argument("--collected", type=Path, help="what the collector's file exporter wrote")
    parser.add_argument("--command", nargs=argparse.REMAINDER, help="goes to meta.json; last")
    args = parser.parse_args()
    needed = ("events", "out") if args.action == "record" else ("collected",)
    for name in needed:
        if getattr(args, name) is None:
            parser.error(f"{args.action} needs --{name}")
    {"record": record, "compare": compare}[args.action](args)


if __name__ == "__main__":
    main()
