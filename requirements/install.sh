#!/bin/sh
# Sets up .venv from a hashed lock file: `install.sh demo|dev`. `install.sh system` adds the system packages the tests
# use. Does nothing, quickly, when there is nothing to do. Ends with exit 2 and the one command that helps.
set -eu

cd "$(dirname "$0")/.."
what=${1:?usage: install.sh system|demo|dev|ordinary}
venv=.venv

say() { printf '%s\n' "$*" >&2; }

# give_up MESSAGE HINT: exit 2, with the next step on a line of its own.
give_up() {
    say "comptroller: $1"
    say "  $2"
    exit 2
}

# as_root COMMAND: the command as this user has to type it.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then printf '%s' "$1"; else printf 'sudo %s' "$1"; fi
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

may_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    say "installing system packages: $*"
    apt-get update -qq >&2 || say "apt-get update failed; trying with the lists at hand"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        give_up "the system packages could not be installed (is the network there?)" "apt-get install $*"
}

# absent PROGRAM:PACKAGE...: the packages of the programs that are not there.
absent() {
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || printf ' %s' "${pair##*:}"
    done
}

# Debian keeps the server's programs out of the PATH.
has_postgres() {
    command -v initdb >/dev/null 2>&1 && return 0
    for program in /usr/lib/postgresql/*/bin/initdb; do
        if [ -x "$program" ]; then return 0; fi
    done
    return 1
}

# The tests make clusters of their own: installing the server must neither make nor start one.
no_main_cluster() {
    mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/comptroller.conf
}

# What the tests call; wheels bring the rest. Without Node.js or Chromium (elsewhere than on Debian no plain package)
# their tests are skipped, which fails only in CI.
system() {
    missing=$(absent git:git ssh:openssh-client curl:curl)
    if may_install; then missing="$missing$(absent node:nodejs runuser:util-linux)"; fi
    if may_install && grep -qx 'ID=debian' /etc/os-release; then missing="$missing$(absent chromium:chromium)"; fi
    if ! has_postgres; then
        missing="$missing postgresql"
        if may_install; then no_main_cluster; fi
    fi
    python=$(find_python) || missing="$missing python3"
    if [ -n "${python:-}" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        missing="$missing $(venv_package "$python")"
    fi
    [ -z "$missing" ] && return 0
    # shellcheck disable=SC2086
    if may_install; then apt_install $missing; return 0; fi
    give_up "the tests need these programs:$missing" "$(as_root "apt-get install -y$missing")"
}

venv_package() { "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'; }

# What an environment is made from: place, interpreter, lock and project file.
stamp_of() {
    {
        pwd -P
        "$python" -c 'import sys; print(sys.version, sys.prefix)'
        cat "requirements/$1.txt" pyproject.toml
    } | cksum
}

# False where .venv is missing, was moved (its scripts name their place) or belongs to another interpreter.
same_python() {
    [ ! -f "$venv/.place" ] || [ "$(cat "$venv/.place")" = "$(pwd -P)" ] || return 1
    "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version != sys.argv[1])' \
        "$("$python" -c 'import sys; print(sys.version)')" 2>/dev/null
}

setup() {
    python=$(find_python) ||
        give_up "Python 3.11 or newer is needed${PYTHON:+, and \`$PYTHON\` is not it}" \
            "$(as_root 'apt-get install -y python3')"
    if [ -f "$venv/.made-$what" ] && [ "$(cat "$venv/.made-$what")" = "$(stamp_of "$what")" ]; then return 0; fi
    [ -w . ] || give_up "$(id -un) may not write to this folder: $(pwd)" "clone the repository as $(id -un)"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        give_up "$python cannot make virtual environments" "$(as_root "apt-get install -y $(venv_package "$python")")"
    if ! same_python; then
        say "making $venv with $python"
        rm -rf "$venv"
        "$python" -m venv "$venv"
        pwd -P >"$venv/.place"
    fi
    rm -f "$venv"/.made-*
    say "installing what requirements/$what.txt lists, hashes checked (the first time takes a minute or two)"
    run_pip install --require-hashes --only-binary :all: -r "requirements/$what.txt"
    run_pip install --no-deps --no-build-isolation --no-index -e .
    stamp_of "$what" >"$venv/.made-$what"
    # The demo's lock is part of the tests': an environment made for the tests serves the demo as well.
    if [ "$what" = dev ]; then stamp_of demo >"$venv/.made-demo"; fi
}

# As root only: an environment that an ordinary user can reach, whatever root's own interpreter and checkout are.
ordinary() {
    [ "$(id -u)" = 0 ] || give_up "only root needs an environment for somebody else" "make setup"
    venv=/opt/comptroller-ordinary
    python=/usr/bin/python3
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        give_up "$python must be Python 3.11 or newer" "apt-get install -y python3"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install "$(venv_package "$python")"
    stamp=$({ "$python" -c 'import sys; print(sys.version)'; cat requirements/run.txt; } | cksum)
    if [ "$(cat "$venv/.made" 2>/dev/null)" != "$stamp" ]; then
        say "making $venv with $python, for an ordinary user"
        rm -rf "$venv"
        "$python" -m venv "$venv"
        run_pip install --require-hashes --only-binary :all: -r requirements/run.txt
        echo "$stamp" >"$venv/.made"
    fi
    # The program as it is now, beside what it needs.
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    rm -rf "$site/comptroller.new"
    cp -R src/comptroller "$site/comptroller.new"
    rm -rf "$site/comptroller"
    mv "$site/comptroller.new" "$site/comptroller"
    chmod -R a+rX "$venv"
}

run_pip() {
    if ! PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip --quiet "$@" >&2; then
        give_up "the packages could not be installed; pip's reason is above" \
            "make setup    (again, once the network or the proxy answers: what was downloaded is kept)"
    fi
}

case $what in
system) system ;;
demo | dev) setup ;;
ordinary) ordinary ;;
*) give_up "unknown set-up \`$what\`" "sh requirements/install.sh system|demo|dev|ordinary" ;;
esac
