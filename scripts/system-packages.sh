#!/bin/sh
# Installs system packages: those that the findings desk runs reproducers with, and those that some tests stand our results
# beside. What needs one that is not there says so; tests skip visibly. `make run` and `make test` need none of them:
# python3, python3-venv and make are enough. Debian and Ubuntu.
#
#   scripts/system-packages.sh          says what it would install, and why
#   scripts/system-packages.sh install  installs it
set -eu

packages() {
    cat <<'LIST'
bubblewrap              isolates reproducers and builds: without it findings are not validated
gcc                     builds targets with sanitizers
clang                   the second compiler of a validation, and libFuzzer
libclang-rt-dev         what programs of clang's with a sanitizer or libFuzzer are linked with
binutils                renames a program's main() for libFuzzer
dpkg-dev                unpacks Debian source packages in the box
llvm                    names the functions in a sanitizer's report
libseccomp2             the filter of system calls in a sandbox
chromium                the browser in which pages are tried
chromium-headless-shell the same without windows: the browser tests take two thirds of the time
libfaketime             puts the clock of a database forward and back
default-jre-headless    runs Maven's own comparison of versions
libmaven3-core-java     Maven's own comparison of versions
libcommons-lang3-java   what Maven's comparison needs
nodejs                  runs npm's own comparison of versions
node-semver             npm's own comparison of versions
postgresql-15           the oldest server that CLEARWAY_DATABASE_URL may name
LIST
}

packages | while read -r name why; do
    if dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed'; then
        printf '%-24s there already: %s\n' "$name" "$why"
    else
        printf '%-24s not installed: %s\n' "$name" "$why"
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
