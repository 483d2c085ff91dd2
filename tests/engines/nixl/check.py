#!/usr/bin/env python3
"""Let the readers of a real NIXL read what our writer leaves.

The BUFFER ring is read by telemetry_reader, which the wheels ship. The prometheus_mp store is read by the collector of a real agent
in the same directory, over its HTTP endpoint; wheels before 1.5 have none, and the check then says so. Needs Go, a wheel of nixl-cu12
and numpy.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import urllib.request

from record import find, free_port

HERE = pathlib.Path(__file__).resolve().parent
EVENTS = [
    ("agent_memory_registered", 64 << 20),
    ("agent_xfer_post_time", 12), ("agent_xfer_time", 250), ("agent_tx_bytes", 1 << 20), ("agent_tx_requests_num", 1),
    ("agent_xfer_post_time", 10), ("agent_xfer_time", 11_000_000), ("agent_rx_bytes", 4096), ("agent_rx_requests_num", 1),
    ("agent_err_not_found", 1),
    ("agent_memory_deregistered", 64 << 20),
]
SERIES = {
    "agent_tx_bytes_total": 1 << 20, "agent_rx_bytes_total": 4096, "agent_tx_requests_num_total": 1, "agent_rx_requests_num_total": 1,
    "agent_memory_registered_total": 64 << 20, "agent_memory_deregistered_total": 64 << 20, "agent_xfer_time_total": 11_000_250,
    "agent_xfer_post_time_total": 22, "agent_rx_last_bytes": 4096, "agent_xfer_time": 11_000_000, "agent_xfer_time_us_count": 2,
    "agent_xfer_time_us_sum": 11_000_250, 'agent_xfer_time_us_bucket{le="250"}': 1, 'agent_xfer_time_us_bucket{le="100"}': 0,
    'agent_xfer_time_us_bucket{le="+Inf"}': 2, 'agent_xfer_post_time_us_bucket{le="10"}': 1, 'agent_errors_total{status="not_found"}': 1,
    'agent_errors_total{status="backend"}': 0,
}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--layout", default="v4", help="of the ring, as the wheel writes it (v4)")
    args = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="nixl-") as where:
        where = pathlib.Path(where)
        writer = where / "writer"
        subprocess.run(["go", "build", "-o", writer, "./engines/nixl/writer"], cwd=HERE.parent.parent, check=True)
        api = find()[1]
        wheel = pathlib.Path(api.__file__).parent.parent
        ring(where, writer, args.layout, wheel)
        store(where, writer, wheel, api)


def ring(where, writer, layout, wheel):
    path = write(writer, "-dir", where, "-layout", layout)[0]
    reader = where / "telemetry_reader"
    shutil.copy(wheel / "nixl_cu12.scripts" / "telemetry_reader", reader)
    reader.chmod(0o755)
    libraries = [wheel / ".nixl_cu12.mesonpy.libs", wheel / "nixl_cu12.libs"]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    child = subprocess.Popen([reader, path], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        child.wait(2)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)  # it reads until it is told to stop
    said = child.communicate(timeout=10)[0]
    if child.returncode < 0 and child.returncode != -signal.SIGINT:
        raise SystemExit(f"ring {layout}: telemetry_reader of this wheel ended by signal {-child.returncode}")
    names = [n.replace("NIXL_ERR_NOT_FOUND", "agent_err_not_found") for n in re.findall(r"Event name: (\S+)", said)]
    got = list(zip(names, map(int, re.findall(r"Value: (\d+)", said))))
    if got != EVENTS:
        raise SystemExit(f"ring {layout}: telemetry_reader read {got}\n{said}")
    write_pos, read_pos = struct.unpack_from("<QQ", pathlib.Path(path).read_bytes())
    if (write_pos, read_pos) != (len(EVENTS), len(EVENTS)):
        raise SystemExit(f"ring {layout}: positions {write_pos} and {read_pos}, want {len(EVENTS)}")
    print(f"ring {layout}: telemetry_reader read all {len(EVENTS)} events")


def store(where, writer, wheel, api):
    if not (wheel / ".nixl_cu12.mesonpy.libs" / "plugins" / "libtelemetry_exporter_prometheus_mp.so").exists():
        print("store: this release has no exporter prometheus_mp")
        return
    stores = where / "stores"
    _, ours = write(writer, "-dir", stores, "-store", hold=True)
    port = free_port()
    os.environ.update(UCX_TLS="tcp,sm,self", NIXL_TELEMETRY_ENABLE="y", NIXL_TELEMETRY_EXPORTER="prometheus_mp",
                      NIXL_TELEMETRY_MULTIPROC_DIR=str(stores), NIXL_TELEMETRY_PROMETHEUS_LOCAL="y",
                      NIXL_TELEMETRY_PROMETHEUS_PORT=str(port))
    theirs = api.nixl_agent("theirs", api.nixl_agent_config(backends=["UCX"]))
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    ours.communicate("", timeout=10)
    del theirs
    got = {}
    for name, labels, value in re.findall(r'^(\w+)\{([^}]*agent_name="ours"[^}]*)\} (\S+)$', page, re.M):
        kept = [l for l in re.findall(r'\w+="[^"]*"', labels) if l.startswith(("le=", "status="))]
        got[name + ("{%s}" % kept[0] if kept else "")] = float(value)
    wrong = {k: got.get(k) for k, v in SERIES.items() if got.get(k) != v}
    if wrong:
        raise SystemExit(f"store: the collector says {wrong}\n{page}")
    print(f"store: NIXL's collector published {len(got)} series of ours, {len(SERIES)} compared")


def write(writer, *args, hold=False):
    """Start the writer and return the file once it is written; unless held, the writer has ended by then."""
    child = subprocess.Popen([writer, *map(str, args)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    path = child.stdout.readline().strip()
    if not path:
        raise SystemExit(f"writer: exit {child.wait(10)}")
    if not hold:
        child.communicate("", timeout=10)
    return path, child


if __name__ == "__main__":
    main()
