#!/usr/bin/env python3
"""Let two agents of a real NIXL move memory while a collector reads their telemetry, and tell what was done.

The directory is that of the rings or, with --store, of the stores. What the agents themselves know of each step is printed as one
line of JSON; the agents then live until standard input ends.
"""

import argparse
import json
import os
import sys
import time

import record


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--dir", required=True)
    p.add_argument("--transfers", type=int, default=2000)
    p.add_argument("--store", action="store_true")
    args = p.parse_args()
    os.environ.update(UCX_TLS=os.environ.get("UCX_TLS", "tcp,sm,self"), UCX_PROTO_INFO="y", NIXL_TELEMETRY_ENABLE="y",
                      NIXL_TELEMETRY_BUFFER_SIZE="4096")
    if args.store:
        os.environ.update(NIXL_TELEMETRY_EXPORTER="prometheus_mp", NIXL_TELEMETRY_MULTIPROC_DIR=args.dir,
                          NIXL_TELEMETRY_PROMETHEUS_LOCAL="y", NIXL_TELEMETRY_PROMETHEUS_PORT=str(record.free_port()))
    else:
        os.environ["NIXL_TELEMETRY_DIR"] = args.dir
    made = record.Recording(args.dir)
    handle = made.connect()
    time.sleep(3)  # The receiver compares bytes of agents that it knows with bytes of links that it has seen before.
    for i in range(args.transfers):
        made.transfer("READ" if i % 3 == 2 else "WRITE", 1 + i % 64)
        if i % 100 == 99:
            made.fail()
    made.a.deregister_memory(handle)
    made.steps.append({"op": "deregister", "bytes": made.memory.nbytes})
    time.sleep(1)  # several flushes
    steps = json.dumps({"version": record.importlib.metadata.version(made.package), "steps": made.steps})
    os.write(3, steps.encode() + b"\n")
    sys.stdin.read()


if __name__ == "__main__":
    main()
