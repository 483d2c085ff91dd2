"""The collector beside a prefill and a decode vLLM on a CPU that hand KV over with NixlConnector: what it tells against the pages.

    nixl_live.py --work DIR --collector BINARY [--port N] [--requests N] [--out DIR]

DIR is as for nixl_pair.py, whose pair it is. llm_engine scrapes both, nixl reads the rings of both, disaggregation joins them. It ends
with status 1 where bytes, counts or times of the ring, of the page and of the collector differ, or an agent is not joined to its worker.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from live_compare import Report
from nixl_pair import hand_over, read, start, wait_until_healthy

CONFIG = """
receivers:
  llm_engine:
    collection_interval: 1s
    fleet: pair
    endpoints:
      - {{endpoint: {prefill}, role: prefill}}
      - {{endpoint: {decode}, role: decode}}
  nixl:
    collection_interval: 1s
    rescan_interval: 1s
    sources: {{buffer: {{directories: ["{telemetry}/prefill", "{telemetry}/decode"], mode: {mode}}}}}
processors:
  disaggregation: {{window: 2s, allowed_lateness: 2s}}
exporters:
  file: {{path: {out}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [llm_engine, nixl], processors: [disaggregation], exporters: [file]}}
"""
IDLE = 8  # s, in which the last window is closed
# Families of a page that tell what a ring tells, and their unit there.
PAGE = {
    "bytes": ("vllm:nixl_bytes_transferred_sum", 1), "transfers": ("vllm:nixl_bytes_transferred_count", 1),
    "time in µs": ("vllm:nixl_xfer_time_seconds_sum", 1e6), "time to post in µs": ("vllm:nixl_post_time_seconds_sum", 1e6),
}


class Told:
    """The newest points that the file exporter wrote, with the attributes of their resources."""

    def __init__(self, path: Path) -> None:
        self.newest: dict[str, tuple[int, str, dict[str, Any], dict[str, Any]]] = {}
        for line in path.read_text().splitlines():
            for resource in json.loads(line)["resourceMetrics"]:
                about = self.attributes(resource["resource"])
                for scope in resource["scopeMetrics"]:
                    for metric in scope["metrics"]:
                        self.take(about, metric)

    @staticmethod
    def attributes(of: dict[str, Any]) -> dict[str, Any]:
        return {a["key"]: next(iter(a["value"].values())) for a in of.get("attributes", [])}

    def take(self, about: dict[str, Any], metric: dict[str, Any]) -> None:
        for kind in ("sum", "gauge", "histogram"):
            for point in metric.get(kind, {}).get("dataPoints", []):
                own = self.attributes(point)
                key = metric["name"] + json.dumps([about, own], sort_keys=True)
                at = int(point["timeUnixNano"])
                if at >= self.newest.get(key, (0,))[0]:
                    self.newest[key] = (at, metric["name"], {**about, **own}, point)

    def points(self, name: str, **wanted: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        wanted = {k.replace("_", "."): v for k, v in wanted.items()}
        return [(a, p) for _, n, a, p in self.newest.values() if n == name and wanted.items() <= a.items() and not p.get("flags")]

    def total(self, name: str, field: str = "", **wanted: Any) -> float:
        """Added up over all series; field is count or sum of histograms."""
        return sum(float(p.get(field, 0) if field else p.get("asInt", p.get("asDouble", 0))) for _, p in self.points(name, **wanted))


def family(page: str, name: str) -> float:
    return sum(float(v) for v in re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", page, re.M))


def compare(report: Report, told: Told, pages: dict[str, str], ports: dict[str, int], pids: dict[str, int]) -> None:
    """An agent tells what it initiated, and of a pair with reads that is the decode side; so are the pages."""
    workers = {a["server.port"]: a for a, _ in told.points("llm.engine.info")}
    agents = {a.get("server.port"): a for a, _ in told.points("nixl.agent.info")}
    for role, port in ports.items():
        worker, agent = workers.get(str(port)), agents.get(str(port))
        joined = worker is not None and agent is not None and worker.get("host.name") == agent.get("host.name")
        report.that(f"{role}: an agent tells server.port {port} and the host of the worker", joined)
        if not agent or not worker:
            continue
        report.that(f"{role}: its process is of the server's tree", descends(int(agent["process.pid"]), pids[role]))
        # A name with a UUID is on nixl.agent.info only.
        key = "nixl.agent.slot" if "nixl.agent.slot" in agent else "nixl.agent.name"
        slot = {key: agent[key]}
        of_agent = [(a, p) for _, n, a, p in told.newest.values() if n == "nixl.transfer.io" and slot.items() <= a.items()]
        ring = {
            "bytes": sum(float(p.get("asInt", 0)) for _, p in of_agent),
            "transfers": sum_of(told, "nixl.transfer.count", slot), "time in µs": 1e6 * sum_of(told, "nixl.transfer.busy_time", slot),
            "time to post in µs": 1e6 * sum_of(told, "nixl.transfer.post.duration", slot),
        }
        engine = {
            "bytes": told.total("llm.engine.kv_transfer.size", "sum", server_port=str(port)),
            "transfers": told.total("llm.engine.kv_transfer.size", "count", server_port=str(port)),
            "time in µs": 1e6 * told.total("llm.engine.kv_transfer.duration", "sum", server_port=str(port)),
            "time to post in µs": 1e6 * told.total("llm.engine.kv_transfer.post.duration", "sum", server_port=str(port)),
        }
        for what, (name, unit) in PAGE.items():
            figures = [round(v) for v in (unit * family(pages[role], name), engine[what], ring[what])]
            report.that(f"{role}: {what}: page {figures[0]}, llm_engine {figures[1]}, nixl {figures[2]}", len(set(figures)) == 1)


def sum_of(told: Told, name: str, slot: dict[str, Any]) -> float:
    points = [p for _, n, a, p in told.newest.values() if n == name and slot.items() <= a.items()]
    return sum(float(p.get("sum", p.get("asInt", p.get("asDouble", 0)))) for p in points)


def descends(pid: int, ancestor: int) -> bool:
    for _ in range(32):
        if pid == ancestor:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            return False
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--collector", type=Path, required=True, help="the binary")
    parser.add_argument("--mode", default="consume", choices=("auto", "consume", "observe"), help="of the nixl receiver")
    parser.add_argument("--port", type=int, default=8000, help="of the prefill server; the decode server has the next")
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--out", type=Path, help="keeps what the collector wrote")
    args = parser.parse_args()
    args.work = args.work.resolve()
    telemetry = args.work / "nixl-telemetry"
    shutil.rmtree(telemetry, ignore_errors=True)
    ports = {"prefill": args.port, "decode": args.port + 1}
    urls = {role: f"http://127.0.0.1:{port}" for role, port in ports.items()}
    processes: list[subprocess.Popen] = []
    report = Report()
    with tempfile.TemporaryDirectory() as directory:
        out, config, log = (Path(directory) / name for name in ("collected.json", "config.yaml", "collector.log"))
        config.write_text(CONFIG.format(**urls, telemetry=telemetry, out=out, mode=args.mode))
        try:
            for role, port in ports.items():
                processes.append(start(args, role, port, telemetry / role))
            for role, server in zip(ports, list(processes), strict=True):
                wait_until_healthy(urls[role], server)
            with log.open("wb") as sink:
                collector = subprocess.Popen([args.collector.resolve(), "--config", config], stdout=sink, stderr=sink, start_new_session=True)
                processes.append(collector)
            time.sleep(IDLE)
            rng = random.Random(1)
            for _ in range(args.requests):
                hand_over(urls["prefill"], urls["decode"], rng)
            time.sleep(IDLE)
            pages = {role: read(url + "/metrics").decode() for role, url in urls.items()}
            pids = dict(zip(ports, (p.pid for p in processes), strict=False))
            collector.terminate()
            report.that("the collector ends well", collector.wait(timeout=60) == 0)
            told = Told(out)
            compare(report, told, pages, ports, pids)
        finally:
            if args.out and out.exists():
                shutil.copy(out, args.out)
                shutil.copy(log, args.out.with_suffix(".collector.log"))
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, 15)
            for process in processes:
                process.wait(timeout=60)
    for name in sorted({n for _, n, _, _ in told.newest.values() if n.startswith(("llm.transfer.", "llm.disaggregation.", "nixl.transport."))}):
        for about, point in told.points(name):
            print(" ", name, {k: v for k, v in about.items() if k in ("server.port", "nixl.agent.slot", "nixl.transport", "nixl.transport.evidence")},
                  point.get("asDouble", point.get("asInt")))
    print(f"{report.wrong} differences")
    sys.exit(report.wrong > 0)


if __name__ == "__main__":
    main()
