#!/bin/sh
# A first installation starts the service; an upgrade restarts it where it was running. deb says "configure" and the version before, rpm
# says 1 for the first and 2 for an upgrade.
set -eu
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
case "$1:${2:-}" in
configure: | 1:) systemctl enable --now otelcol-inference ;;
*) systemctl try-restart otelcol-inference ;;
esac
