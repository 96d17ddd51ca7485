#include "ring/digest.hpp"

#include <doctest/doctest.h>

#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/ring/ring_support.hpp"

namespace {

std::string sha256(const std::string& text) {
  const ring::Digest digest = ring::hash(ring::Algorithm::sha256, text);
  std::string hex;
  for (std::size_t i = 0; i < digest.size; ++i) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", digest.bytes[i]);
    hex += pair;
  }
  return hex;
}

ring::RingParts parts() {
  return {.algorithm = ring::Algorithm::md5,
          .interval_hex = "55555555555555555555555555555555",
          .pnodes = {"a\"b", "é\n"},
          .owners = {0, 1, 0},
          .data = {{2, "\"ro\""}}};
}

}  // namespace

TEST_CASE("digest: SHA-256 over algorithm, count, interval, and each vnode's pnode and data") {
  const auto made = ring::Ring::make(parts());
  CHECK(made->digest() == sha256("md5\n3\n55555555555555555555555555555555\n"
                                 "\"a\\\"b\"\t1\n\"é\\n\"\t1\n\"a\\\"b\"\t\"ro\"\n"));
}

TEST_CASE("digest: neither version, order of pnodes nor unused pnodes matter") {
  const std::string digest = ring::Ring::make(parts())->digest();
  ring::RingParts other = parts();
  other.version = "1.0.0";
  other.pnodes = {"unused", "é\n", "a\"b"};
  other.owners = {2, 1, 2};
  CHECK(ring::Ring::make(other)->digest() == digest);
}

TEST_CASE("digest: owner, data, interval and algorithm matter") {
  const std::string digest = ring::Ring::make(parts())->digest();
  const auto differs = [&](auto change) {
    ring::RingParts other = parts();
    change(other);
    return ring::Ring::make(other)->digest() != digest;
  };
  CHECK(differs([](auto& other) { other.owners[1] = 0; }));
  CHECK(differs([](auto& other) { other.data.clear(); }));
  CHECK(differs([](auto& other) { other.data[0].first = 1; }));
  CHECK(differs([](auto& other) { other.interval_hex[31] = '4'; }));
  CHECK(differs([](auto& other) { other.owners.push_back(0); }));
}

TEST_CASE("digest: the same ring stored in other files has the same digest") {
  const test_support::TemporaryDirectory directory;
  const auto snappy = ring_support::unpack_ring("snappy-500", directory.path());
  const auto plain = ring_support::unpack_ring("plaintables-500", directory.path());
  const auto loaded = ring::load_leveldb(snappy);
  CHECK(loaded->digest() == ring::load_leveldb(plain)->digest());
  CHECK(ring::parse_topology(ring::serialize_topology(*loaded))->digest() == loaded->digest());
  ring::create_leveldb(directory.path() / "copy", *loaded);
  CHECK(ring::load_leveldb(directory.path() / "copy")->digest() == loaded->digest());
}
