# What the project needs from Debian 12. Sourced by run.sh and test.sh.
build_packages=(
  build-essential cmake ninja-build pkg-config
  libboost1.81-dev libleveldb-dev libsnappy-dev nlohmann-json3-dev prometheus-cpp-dev
  libspdlog-dev libssl-dev libsimdjson-dev libpq-dev zlib1g-dev libc-ares-dev libcli11-dev
  libzookeeper-mt-dev
)
postgres_packages=(postgresql-15)  # ./run.sh --postgres, and tests
fleet_packages=(libzookeeper-java openjdk-17-jre-headless)  # ./run.sh --routers, and tests
bench_packages=(haproxy nginx-light libnginx-mod-stream gnuplot-nox valgrind)  # bench/proxy only
fuzz_packages=(clang libclang-rt-14-dev)  # ./test.sh --all only
test_packages=(doctest-dev libbenchmark-dev dnsmasq-base "${postgres_packages[@]}" openssl xz-utils python3 curl pgbouncer
  clang-format lld "${fleet_packages[@]}")
