#include "ring/topology.hpp"

#include <doctest/doctest.h>

#include "ring/leveldb_store.hpp"
#include "ring/version.hpp"

using namespace ring;

namespace {

std::string refusal(const std::string& text) {
  try {
    parse_topology(text);
  } catch (const RingError& error) {
    return error.what();
  }
  return "";
}

std::string topology(const std::string& map, int vnodes = 2) {
  return R"({"vnodes":)" + std::to_string(vnodes) + R"(,"pnodeToVnodeMap":)" + map +
         R"(,"algorithm":{"NAME":"sha256","VNODE_HASH_INTERVAL":"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},"version":"2.1.0"})";
}

}  // namespace

TEST_CASE("topology: what is wrong is named") {
  CHECK(refusal("{").find("not JSON") != std::string::npos);
  CHECK(refusal("[]").find("not an object") != std::string::npos);
  CHECK(refusal(topology(R"({"a":{"0":1}})")).find("vnode 1 has no pnode") != std::string::npos);
  CHECK(refusal(topology(R"({"a":{"0":1,"1":1},"b":{"1":1}})")).find("vnode 1 is mapped twice") !=
        std::string::npos);
  CHECK(refusal(topology(R"({"a":{"0":1,"2":1}})")).find("vnode \"2\"") != std::string::npos);
  CHECK(refusal(topology(R"({"a":[0,1]})")).find("pnode \"a\"") != std::string::npos);
}

TEST_CASE("topology: data of any JSON kind is kept") {
  const auto made = parse_topology(topology(R"({"a":{"0":"ro"},"b":{"1":{"x": null}}})"));
  CHECK(made->read_only(Vnode{0}));
  CHECK_FALSE(made->read_only(Vnode{1}));
  CHECK(made->any_data());
  CHECK(made->data_json(Vnode{1}) == R"({"x": null})");
  CHECK(made->data_vnodes() == std::vector<Vnode>{Vnode{0}, Vnode{1}});
}

TEST_CASE("create: arguments are checked") {
  CHECK_THROWS_AS(create_ring(Algorithm::sha256, 0, {"a"}), RingError);
  CHECK_THROWS_AS(create_ring(Algorithm::sha256, 4, {}), RingError);
  CHECK_THROWS_AS(create_ring(Algorithm::sha256, 4, {"a", "a"}), RingError);
}

TEST_CASE("create: equal rings have equal digests, another owner or datum makes another") {
  const auto ring = create_ring(Algorithm::sha256, 16, {"a", "b"});
  CHECK(ring->digest() == create_ring(Algorithm::sha256, 16, {"b", "a"})->digest());
  CHECK(ring->digest() != create_ring(Algorithm::sha256, 16, {"a", "c"})->digest());
  CHECK(ring->digest() != create_ring(Algorithm::sha1, 16, {"a", "b"})->digest());
  CHECK(ring->digest().size() == 64);
}

TEST_CASE("version: not newer than ours, compared by number") {
  for (const char* good : {"2.1.0", "1.0.0", "2.0.0", "2.1", "2", "0.9.9"}) CHECK(acceptable_version(good));
  for (const char* bad : {"3.0.0", "2.1.1", "2.2", "", "abc", "2.1.0.0", "2.1.0-rc1", "2..1"})
    CHECK_FALSE(acceptable_version(bad));
}
