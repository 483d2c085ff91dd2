#!/usr/bin/env bash
# Builds the committed sources in two directories and compares the binaries.
#
#   COLD=1   the second with an empty build cache, which takes as long as a first build: what a cache holds does not show in the binary
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
for copy in one another/below; do
  mkdir -p "$work/$copy/bin"
  git archive HEAD | tar -x -C "$work/$copy"
  cp -r exporter/inferencedashboardexporter/assets/vendor "$work/$copy/exporter/inferencedashboardexporter/assets/"
  ln -s "$here/bin/tools" "$work/$copy/bin/tools"
  (
    cd "$work/$copy"
    [ -z "${COLD:-}" ] || [ "$copy" = one ] || export GOCACHE=$work/cold
    touch -r "$here/bin/tools/builder" internal/tools/go.mod # the tools are there
    make --no-print-directory bin/otelcol-inference >&2
  )
done
cd "$work"
sha256sum one/bin/otelcol-inference another/below/bin/otelcol-inference
cmp one/bin/otelcol-inference another/below/bin/otelcol-inference
echo "the same binary"
