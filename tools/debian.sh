#!/bin/sh
# Install Debian packages where this may be done: as root, with apt-get. Says so, and does nothing, elsewhere.
set -u
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed: $* (needs root and apt-get); tests that need it will skip" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install --yes --quiet=2 --no-install-recommends "$@" >/dev/null 2>&1; }
install "$@" || { apt-get update --quiet=2 >/dev/null 2>&1 && install "$@"; } ||
    echo "not installed: $* (apt-get could not); tests that need it will skip" >&2
exit 0
