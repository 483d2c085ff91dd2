#!/bin/sh
# Not on an upgrade: deb says "upgrade" then, rpm says 1.
set -eu
case $1 in remove | 0) ;; *) exit 0 ;; esac
[ -d /run/systemd/system ] || exit 0
# A deb that comes again before it was purged is told of a version before, as an upgrade is: this says that the service ran.
[ "$1" = 0 ] || ! systemctl is-enabled --quiet otelcol-inference || : >/etc/otelcol-inference/.enabled
systemctl disable --now otelcol-inference
