#!/bin/sh
# Resolves pyproject.toml into the hashed lock files, for every Python and platform at once. Run by `make lock`.
set -eu
cd "$(dirname "$0")/.."

tool=.bench/lock
if [ ! -x "$tool/bin/uv" ]; then
    .venv/bin/python -m venv "$tool"
    "$tool/bin/pip" install --quiet uv
fi

# resolve OUTPUT ARGUMENT...: no index address, no path of this machine ends up in the file.
resolve() {
    output=$1
    shift
    "$tool/bin/uv" pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
        --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
        ${UPGRADE:+--upgrade} --output-file "$output" "$@" pyproject.toml
}

# The larger lock constrains the smaller ones, so that one environment can serve all of them.
resolve requirements/dev.txt --extra dev requirements/build.in
resolve requirements/demo.txt --extra demo --constraints requirements/dev.txt requirements/build.in
resolve requirements/run.txt --constraints requirements/dev.txt
