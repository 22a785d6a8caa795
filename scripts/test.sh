#!/bin/sh
# npm test: everything that a newcomer and CI need, with all set-up, on a fresh clone.
#   scripts/test.sh            packages, build, tools, format, lint, every test
#   scripts/test.sh quick      packages, build and the quick tests (scripts/quick-tests.mjs), under a minute
# What follows goes to Jest: npm test -- test/transfer, npm test -- -t 'rule 15'
set -eu
cd "$(dirname "$0")/.."

mode=all
if [ "${1:-}" = quick ]; then
  mode=quick
  shift
fi

missing=
need='git node npm go python3 javac mvn g++'
[ "$mode" = all ] || need='node npm'
for tool in $need; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  echo "npm test needs these, and they are not on the PATH:$missing" >&2
  echo "git, Node.js 20.20 with npm, Go 1.24, Python 3.10 with venv (python3-venv), JDK 17, Maven, g++: install them, then run it again." >&2
  exit 2
fi

# What the person's own shell points at is not what is tested.
for name in $(env | sed -n -E 's/^((AWS|MLFLOW|TEMPORAL|MLRUN|MINIO|WAYBILL)_[A-Za-z0-9_]*)=.*/\1/p'); do
  case $name in
    WAYBILL_CACHE_DIR | WAYBILL_TEMPORAL_CLI) ;;
    *) unset "$name" ;;
  esac
done

scripts/prepare.sh all

# All that the tests and their servers write; it goes at the end. Short, because sockets lie in it; open, because other users are tried.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/wbt-XXXXXX")
chmod 755 "$scratch"
tools=
house=
trap '[ -z "$tools$house" ] || kill $tools $house 2>/dev/null; rm -rf --one-file-system "$scratch" 2>/dev/null || true' EXIT

# Three at once on two cores: most suites wait for servers and time-outs, and two of them leave a third of the processor idle.
workers=3
summary=$scratch/first.json
jest() {
  TMPDIR=$scratch TEST_SUMMARY=$summary node --experimental-vm-modules --no-warnings node_modules/jest/bin/jest.js "$@" --maxWorkers="$workers" \
    --reporters=default --reporters='<rootDir>/scripts/plain-summary.mjs'
}

if [ "$mode" = quick ]; then
  node scripts/ensure-tools.mjs 'Temporal CLI'
  # These wait for nothing.
  workers=2
  # shellcheck disable=SC2046
  jest --runTestsByPath $(node scripts/quick-tests.mjs) "$@"
  exit
fi

# The rules of the house are looked at beside the tests; what they say comes at the end, where it is seen.
(
  kept=0
  npx --no-install prettier --check --log-level warn . || kept=1
  npx --no-install eslint . || kept=1
  exit "$kept"
) >"$scratch/house.log" 2>&1 &
house=$!
node scripts/ensure-tools.mjs &
tools=$!
wait "$tools"
tools=
tests=0
jest "$@" || tests=$?
# A suite or two that fail beside others are looked at alone; what passes only then is named as unsteady.
if [ "$tests" -ne 0 ] && [ $# -eq 0 ] && again=$(node scripts/second-try.mjs list "$scratch/first.json"); then
  echo 'Once more, alone, what failed:' >&2
  summary=$scratch/second.json
  workers=1
  tests=0
  # shellcheck disable=SC2086
  jest --runTestsByPath $again || tests=$?
  node scripts/second-try.mjs tell "$scratch/first.json" "$scratch/second.json"
fi
kept=0
wait "$house" || kept=$?
house=
if [ "$kept" -ne 0 ]; then
  cat "$scratch/house.log" >&2
  echo 'The format or the rules of the house are not kept: see above.' >&2
fi
[ "$tests" -eq 0 ] || exit "$tests"
exit "$kept"
