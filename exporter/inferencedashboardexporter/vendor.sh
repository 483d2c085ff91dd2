#!/bin/sh
# Places the chart library (uPlot, MIT licence) into assets/vendor, from where it is embedded. It is not part of the source tree.
# The archive is checked against the recorded digest; a different one is refused. Nothing is fetched when the files are there.
#
# Usage: vendor.sh [--force]
set -eu

version=1.6.32
integrity='sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=='

cd "$(dirname "$0")"
target=assets/vendor
stamp=$target/VERSION
if [ "${1:-}" != --force ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ]; then
	exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && npm pack --silent "uplot@$version" >/dev/null)
archive=$scratch/uplot-$version.tgz
got=sha512-$(openssl dgst -sha512 -binary "$archive" | openssl base64 -A)
if [ "$got" != "$integrity" ]; then
	echo "vendor.sh: uplot $version: integrity is $got, expected $integrity" >&2
	exit 1
fi

tar -xzf "$archive" -C "$scratch"
mkdir -p "$target"
for file in dist/uPlot.iife.min.js dist/uPlot.min.css LICENSE; do
	cp "$scratch/package/$file" "$target/"
done
echo "$version" >"$stamp"
