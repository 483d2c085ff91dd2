#!/usr/bin/env bash
# Prints the folder of the programs prometheus and promtool: what is installed, else Debian's package, unpacked into .cache without
# installing it.
set -euo pipefail
cd "$(dirname "$0")/../.."

if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
  dirname "$(command -v prometheus)"
  exit
fi
programs=$PWD/.cache/prometheus/usr/bin
if [ ! -x "$programs/promtool" ]; then
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    echo "error: prometheus and promtool are needed, and this is no Debian; PROMETHEUS=dir says where they are" >&2
    exit 1
  fi
  mkdir -p .cache/prometheus
  (cd .cache/prometheus && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } >&2 && dpkg -x prometheus_*.deb . && rm prometheus_*.deb)
fi
echo "$programs"
