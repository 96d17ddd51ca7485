# Everything comes from Debian 12 packages; see docs/decisions.md for what each is for.
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(leveldb CONFIG REQUIRED)  # links snappy: libsnappy-dev must be there
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
find_package(CLI11 REQUIRED)

find_library(SIMDJSON_LIBRARY simdjson REQUIRED)
find_library(ZOOKEEPER_LIBRARY zookeeper_mt REQUIRED)  # with threads of its own
add_library(simdjson INTERFACE)
target_link_libraries(simdjson INTERFACE "${SIMDJSON_LIBRARY}")
if(MORAY_ROUTER_TESTS)
  find_package(doctest REQUIRED)
endif()
