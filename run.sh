#!/usr/bin/env bash
# Installs what is missing, builds, and serves a first system on port 2020: a ring over two
# embedded shards in build/dev; with --postgres [N], over N PostgreSQL databases of its own (2) in
# build/dev-postgres; with --routers N, by a fleet of N routers, over PostgreSQL databases and with a
# ZooKeeper, in build/dev-fleet. Arguments go to `moray-router dev`, e.g. --port 2021.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/packages.sh
. scripts/compiler_cache.sh
packages=("${build_packages[@]}")
directory=build/dev
for argument in "$@"; do
  case $argument in
    --postgres*) packages+=("${postgres_packages[@]}"); directory=build/dev-postgres ;;
    --routers*) packages+=("${postgres_packages[@]}" "${fleet_packages[@]}"); fleet=yes ;;
  esac
done
[ -z "${fleet:-}" ] || directory=build/dev-fleet
scripts/install_packages.sh "${packages[@]}"
cmake --preset release -DMORAY_ROUTER_TESTS=OFF -DMORAY_ROUTER_BENCH=OFF -B build/run "${launcher[@]}" >/dev/null
cmake --build build/run -j2 --target moray-router
exec build/run/moray-router dev --dir "$directory" "$@"
