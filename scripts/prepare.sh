#!/bin/sh
# Installs the npm packages and builds what is out of date; says so only when there is something to do.
#   scripts/prepare.sh        the command: node_modules and dist/src
#   scripts/prepare.sh all    the tests too: dist/test
# Safe to run twice at once. Sourced by nobody; `./waybill` and `npm test` call it.
set -eu
cd "$(dirname "$0")/.."
want=${1:-src}

say() { printf 'waybill: %s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }

check_node() {
  command -v node >/dev/null 2>&1 ||
    fail "Node.js is not on the PATH. Install Node.js 20.20 or later, then run the same command."
  command -v npm >/dev/null 2>&1 ||
    fail "npm is not on the PATH. It comes with Node.js: install Node.js 20.20 or later."
  version=$(node -p process.versions.node)
  major=${version%%.*}
  rest=${version#*.}
  minor=${rest%%.*}
  if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 20 ]; }; then
    fail "Node.js $version is too old: Waybill needs 20.20 or later."
  fi
}

# A node_modules that is a link belongs to another checkout; npm ci would empty it.
packages_are_current() {
  [ -L node_modules ] || cmp -s package-lock.json node_modules/.waybill-package-lock.json
}

build_is_current() {
  stamp=dist/.built-$1
  shift
  [ -e "$stamp" ] && [ -z "$(find "$@" -newer "$stamp" -print 2>/dev/null | head -n 1)" ]
}

everything_is_current() {
  packages_are_current || return 1
  inputs='src tsconfig.json tsconfig.build.json package-lock.json scripts/bundle-workflows.mjs scripts/bundle-code.mjs scripts/bundle-plugins.mjs scripts/prune-protobuf.mjs'
  if [ "$want" = all ]; then
    # shellcheck disable=SC2086
    build_is_current all $inputs test bench
  else
    # shellcheck disable=SC2086
    build_is_current src $inputs
  fi
}

everything_is_current && exit 0
check_node

lock=dist/.preparing
mkdir -p dist
told=
while ! mkdir "$lock" 2>/dev/null; do
  holder=$(cat "$lock/pid" 2>/dev/null || echo)
  if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
    rm -rf "$lock"
  else
    [ -n "$told" ] || say "another process (${holder:-unknown}) is installing and building here; waiting for it"
    told=1
    sleep 0.3
  fi
done
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
echo $$ >"$lock/pid"
everything_is_current && exit 0

if ! packages_are_current; then
  say "installing npm packages into node_modules (about 100 MB to fetch, 480 MB on disk, half a minute, once)"
  # What packages would run while they are installed only builds parts that Waybill does without.
  npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error >&2
  cp package-lock.json node_modules/.waybill-package-lock.json
fi

# What changes while the build runs is newer than the stamp, and is built the next time.
touch "$lock/stamp"
node scripts/sweep-dist.mjs
if [ "$want" = all ]; then
  say "building dist from src, test and bench (about 10 s)"
  npm run --silent build:all >&2
  cp -p "$lock/stamp" dist/.built-all
else
  say "building dist from src (about 10 s)"
  npm run --silent build >&2
fi
cp -p "$lock/stamp" dist/.built-src
