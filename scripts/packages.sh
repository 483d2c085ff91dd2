#!/usr/bin/env bash
# Packs a built collector: deb, rpm, the list of what is in it (CycloneDX) and checksums, into dist/. The same binary and sources give
# the same files.
#
#   scripts/packages.sh [ARCH [BINARY]]     ARCH is amd64 or arm64; BINARY defaults to bin/otelcol-inference, DIST to dist
set -euo pipefail
cd "$(dirname "$0")/.."
export ARCH=${1:-amd64} BINARY=${2:-bin/otelcol-inference} VERSION SOURCE_DATE_EPOCH
VERSION=${VERSION:-$(sed -n 's/^  version: //p' builder-config.yaml)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
dist=${DIST:-dist}
[ -x "$BINARY" ] || { echo "error: no binary at $BINARY; make build first" >&2; exit 1; }
BINARY=$(realpath "$BINARY") # a link would be packed as one
mkdir -p "$dist"
for format in deb rpm; do
  bin/tools/nfpm package --config distributions/otelcol-inference/packaging/nfpm.yaml --packager "$format" \
    --target "$dist/otelcol-inference_${VERSION}_linux_$ARCH.$format"
done
# The time of the build is the sources' time.
bin/tools/cyclonedx-gomod bin -json -noserial -output-version 1.5 -version "v$VERSION" "$BINARY" |
  sed "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)\"/" \
    >"$dist/otelcol-inference_${VERSION}_linux_$ARCH.sbom.json"
(cd "$dist" && sha256sum otelcol-inference_"${VERSION}"_linux_*.{deb,rpm,sbom.json} >checksums.txt)
