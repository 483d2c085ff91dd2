#!/usr/bin/env python3
"""Make a database for `govulncheck -db file://OUT` of a checkout of golang/vulndb, for machines that do not reach the service.

usage: vulndb.py CHECKOUT OUT
"""
import json
import pathlib
import sys


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    reports, out = pathlib.Path(sys.argv[1]) / "data" / "osv", pathlib.Path(sys.argv[2])
    if not reports.is_dir():
        sys.exit(f"{reports}: no such directory; CHECKOUT has to be one of golang/vulndb")
    for name in ("ID", "index"):
        (out / name).mkdir(parents=True, exist_ok=True)
    modules: dict[str, list[dict]] = {}
    newest = ""
    files = sorted(reports.glob("*.json"))
    for file in files:
        report = json.loads(file.read_text())
        (out / "ID" / file.name).write_text(json.dumps(report))
        newest = max(newest, report["published"]) # the repository has no other date, and this not always
        for affected in report.get("affected", []):
            # Without "fixed", which would let govulncheck pass over a report: one may be introduced again after a fix.
            entry = {"id": report["id"], "modified": report["modified"]}
            modules.setdefault(affected["package"]["name"], []).append(entry)
    index = [{"path": path, "vulns": vulns} for path, vulns in sorted(modules.items())]
    (out / "index" / "modules.json").write_text(json.dumps(index))
    (out / "index" / "db.json").write_text(json.dumps({"modified": newest}))
    print(f"{len(files)} reports on {len(index)} modules")  # those of after 2022 have no date there


if __name__ == "__main__":
    main()
