"""Hold what the collector says of a real vLLM's KV cache under load against what the client and the engine know.

    live_share.py --url URL --events ENDPOINT --replay ENDPOINT --ledger FILE --collector BINARY [--record DIR] --command ...

`vllm_cpu.sh live` runs it. It starts the collector (llm_engine with KV events, kv_fragmentation, file exporter) beside the server, loads
the server in phases, and ends with status 1 where figures differ by more than the bars of live_compare.py.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from live_compare import Collected, EngineLedger, Report, Span, compare_counters, compare_share, page
from live_load import Fleet, Phase
from live_record import PageRecorder, write_recording

IDLE = 6  # s after each phase, in which a window is closed and the last messages come

CONFIG = """
receivers:
  llm_engine:
    collection_interval: 500ms
    endpoints:
      - endpoint: {url}
        kv_events: {{endpoint: "{events}", replay_endpoint: "{replay}"}}
processors:
  kv_fragmentation: {{window: 5s, horizon: 1m}}
exporters:
  file: {{path: {out}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [llm_engine], processors: [kv_fragmentation], exporters: [file]}}
"""


def phases(seconds: float) -> list[Phase]:
    """Loads for a pool of 199 blocks of 32 tokens. All but the last fit at any time."""
    return [
        Phase("long", 6, seconds, (100, 500), (150, 400)),
        Phase("shared prefix", 6, seconds, (600, 800), (100, 250), prefix=512),
        Phase("short", 8, seconds, (17, 60), (8, 30)),
        # Two blocks each, of which the second is never full: much more is held than is live.
        Phase("empty tails", 32, seconds, (33, 34), (24, 24)),
        Phase("preempted", 14, seconds, (200, 600), (200, 500)),
    ]


class Collector:
    def __init__(self, binary: Path, directory: Path, url: str, events: str, replay: str) -> None:
        self.out, self.log, config = directory / "collected.json", directory / "collector.log", directory / "config.yaml"
        config.write_text(CONFIG.format(url=url, events=events, replay=replay, out=self.out))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([binary.resolve(), "--config", config], stdout=log, stderr=log)

    def stop(self) -> Collected:
        if self.process.poll() is not None:
            raise RuntimeError(f"the collector ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        self.process.terminate()
        if self.process.wait(timeout=60) != 0:
            raise RuntimeError(f"the collector ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        return Collected(self.out)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)


def run(fleet: Fleet, seconds: float) -> list[Span]:
    spans = []
    for phase in phases(seconds):
        if phase.prefix:  # whoever comes first computes the prefix; requests at once would each do so
            fleet.run(Phase(phase.name, 1, 0.1, (phase.prefix + 1, phase.prefix + 1), (1, 1), phase.prefix))
        begin, until = fleet.run(phase)
        time.sleep(IDLE)
        spans.append(Span(phase, begin, until, time.time(), page(fleet.url), len(fleet.flights)))
        print(f"{phase.name}: {len(fleet.flights)} requests so far", flush=True)
    return spans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="for example http://127.0.0.1:8000")
    parser.add_argument("--events", required=True, help="endpoint of the publisher, for example ipc:///path")
    parser.add_argument("--replay", required=True, help="where it answers for what was lost, for example tcp://127.0.0.1:8001")
    parser.add_argument("--ledger", type=Path, required=True, help="what scheduler/live_ledger.py writes")
    parser.add_argument("--collector", type=Path, required=True, help="the binary")
    parser.add_argument("--seconds", type=float, default=60, help="of each phase")
    parser.add_argument("--record", type=Path, help="directory of a recording")
    parser.add_argument("--command", nargs=argparse.REMAINDER, default=[], help="goes to meta.json; last")
    args = parser.parse_args()
    start = page(args.url)
    fleet = Fleet(args.url, int(start["block_size"]))
    with tempfile.TemporaryDirectory() as directory:
        recorder = PageRecorder(args.url, args.events) if args.record else None
        collector = Collector(args.collector, Path(directory), args.url, args.events, args.replay)
        try:
            time.sleep(IDLE)
            spans = run(fleet, args.seconds)
            collected = collector.stop()
        finally:
            collector.kill()
            if recorder:
                recorder.stop()
    report, ledger, pool = Report(), EngineLedger(args.ledger), (start["num_gpu_blocks"] - 1) * start["block_size"]
    for span in spans:
        print(span.phase.name)
        compare_share(report, span, fleet, ledger, collected, pool)
        compare_counters(report, span, fleet, ledger, collected)
    if recorder:
        write_recording(args.record, recorder, fleet, ledger, spans, args.command)
    print(f"{report.wrong} differences")
    sys.exit(report.wrong > 0)


if __name__ == "__main__":
    main()
