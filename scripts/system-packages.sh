#!/bin/sh
# Installs system packages that some parts can use. The product and `make test` need none of them: they
# run on python3, python3-venv and make alone. Debian and Ubuntu; run as root.
#
#   scripts/system-packages.sh          says what it would install, and why
#   scripts/system-packages.sh install  installs it
set -eu

packages() {
    cat <<'LIST'
chromium        browser tests of the pages drive a real browser
dpkg-dev        dpkg --compare-versions stands beside our order of Debian versions in a test
rpm             rpm's own comparison stands beside our order of rpm versions in a test
postgresql      an own server for trying CLEARWAY_DATABASE_URL (the embedded one needs no package)
LIST
}

packages | while read -r name why; do
    if dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed'; then
        printf '%-14s there already: %s\n' "$name" "$why"
    else
        printf '%-14s not installed: %s\n' "$name" "$why"
    fi
done
[ "${1:-}" = install ] || {
    echo "Nothing was changed. To install them: $0 install"
    exit 0
}
[ "$(id -u)" = 0 ] || {
    echo "Run this as root." >&2
    exit 5
}
apt-get update -qq
# shellcheck disable=SC2046  # one word a package
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(packages | cut -d' ' -f1)
