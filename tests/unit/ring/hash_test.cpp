#include "ring/hash.hpp"

#include <map>
#include <random>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "json/document.hpp"
#include "ring/interval.hpp"
#include "ring/key_transform.hpp"
#include "ring/topology.hpp"
#include "tests/support/test_data.hpp"

using namespace ring;

namespace {

std::string hex_of(const Digest& digest) {
  return BigNumber::from_bytes({digest.bytes.data(), digest.size}).even_hex();
}

Digest digest_of_hex(const std::string& hex) {
  Digest digest;
  digest.size = hex.size() / 2;
  for (std::size_t i = 0; i < digest.size; ++i)
    digest.bytes[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return digest;
}

/// The definition: long division, bit by bit.
std::uint64_t divide_slowly(const BigNumber& hash, const BigNumber& interval) {
  std::uint64_t low = 0, high = 0xffffffff;
  while (low < high) {
    const std::uint64_t middle = (low + high + 1) / 2;
    if (interval.times(middle) <= hash)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

class Rings {
 public:
  const Ring& get(const nlohmann::json& vector) {
    const auto name =
        std::make_tuple(vector["algorithm"].get<std::string>(),
                        vector["vnodes"].get<std::uint32_t>(), vector["pnodes"].get<std::string>());
    auto& ring = rings_[name];
    if (ring == nullptr)
      ring = create_ring(*algorithm_named(std::get<0>(name)), std::get<1>(name),
                         lists_[std::get<2>(name)]["given"].get<std::vector<std::string>>());
    return *ring;
  }

 private:
  nlohmann::json lists_ = nlohmann::json::parse(
      test_support::read_file(test_support::data_path("ring/pnode-lists.json")));
  std::map<std::tuple<std::string, std::uint32_t, std::string>, std::shared_ptr<const Ring>> rings_;
};

}  // namespace

TEST_CASE("hash: the three algorithms") {
  CHECK(hex_of(hash(Algorithm::md5, "")) == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(hex_of(hash(Algorithm::sha1, "abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex_of(hash(Algorithm::sha256, "abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("hash: every recorded hash falls on its vnode, edges and the top remainder included") {
  std::size_t seen = 0;
  for (const auto& line :
       test_support::read_lines(test_support::data_path("ring/vnode-of-hash.jsonl.gz"))) {
    const auto vector = nlohmann::json::parse(line);
    const auto algorithm = *algorithm_named(vector["algorithm"].get<std::string>());
    const auto count = vector["vnodes"].get<std::uint64_t>();
    const auto number = BigNumber::from_hex(vector["interval"].get<std::string>());
    CAPTURE(line);
    REQUIRE(number);
    if (count <= 0xffffffff)
      CHECK(Interval::compute(algorithm, static_cast<std::uint32_t>(count)) == *number);
    CHECK(number->even_hex() == vector["interval"].get<std::string>());
    const auto interval = Interval::make(algorithm, *number);
    REQUIRE(interval);
    CHECK(interval->divide(digest_of_hex(vector["hash"])) == vector["vnode"].get<std::uint64_t>());
    ++seen;
  }
  CHECK(seen == 1418);
}

TEST_CASE("hash: quotients agree with long division, at random and one step around each edge") {
  std::mt19937_64 random(7);
  for (const Algorithm algorithm : {Algorithm::sha256, Algorithm::sha1, Algorithm::md5})
    for (int round = 0; round < 300; ++round) {
      const auto count = static_cast<std::uint32_t>(1 + random() % (round % 2 ? 100 : 100'000'000));
      const BigNumber number = Interval::compute(algorithm, count);
      const auto interval = Interval::make(algorithm, number);
      REQUIRE(interval);
      Digest digest;
      digest.size = digest_bytes(algorithm);
      for (std::size_t i = 0; i < digest.size; ++i)
        digest.bytes[i] = static_cast<std::uint8_t>(random());
      CHECK(interval->divide(digest) ==
            divide_slowly(BigNumber::from_bytes({digest.bytes.data(), digest.size}), number));
      // exactly at an edge, and one below it
      const auto vnode = static_cast<std::uint32_t>(1 + random() % count);
      std::string hex = number.times(vnode).even_hex();
      hex.insert(0, 2 * digest.size - hex.size(), '0');
      Digest edge = digest_of_hex(hex);
      CHECK(interval->divide(edge) == vnode);
      for (std::size_t i = edge.size; i-- > 0;)
        if (edge.bytes[i]-- != 0) break;
      CHECK(interval->divide(edge) == vnode - 1);
    }
}

TEST_CASE("locate: every recorded key reaches its vnode and pnode") {
  Rings rings;
  std::size_t seen = 0;
  for (const auto& line : test_support::read_lines(test_support::data_path("ring/keys.jsonl.gz"))) {
    const auto vector = nlohmann::json::parse(line);
    const auto key = vector["key"].get<std::string>();
    const std::string_view transformed =
        vector["bucket"].is_null() ? key : transform_key(vector["bucket"].get<std::string>(), key);
    CAPTURE(line);
    CHECK(transformed == vector["tkey"].get<std::string>());
    const Ring& ring = rings.get(vector);
    const auto location = ring.locate(vector["tkey"].get<std::string>());
    REQUIRE(location);
    CHECK(number(location->vnode) == vector["vnode"].get<std::uint32_t>());
    CHECK(ring.pnode_name(location->pnode) == vector["pnode"].get<std::string>());
    ++seen;
  }
  CHECK(seen == 3800);
}

TEST_CASE("locate: keys with unpaired surrogates hash as Node hashes them") {
  Rings rings;
  json::Document document;
  std::size_t seen = 0;
  for (const auto& line :
       test_support::read_lines(test_support::data_path("ring/keys-surrogates.jsonl"))) {
    CAPTURE(line);
    REQUIRE_FALSE(document.parse(line));
    const json::Value vector = document.root();
    std::string scratch, other;
    nlohmann::json plain;
    for (const char* name : {"algorithm", "pnodes"})
      plain[name] = vector.find(name)->string(scratch);
    plain["vnodes"] = std::stoul(std::string(vector.find("vnodes")->text()));
    const std::string key(vector.find("key")->string(scratch));
    std::string_view transformed = key;
    if (vector.find("bucket")->is(json::Type::string))
      transformed = transform_key(vector.find("bucket")->string(other), key);
    const Ring& ring = rings.get(plain);
    const auto location = ring.locate(transformed);
    REQUIRE(location);
    CHECK(std::to_string(number(location->vnode)) == vector.find("vnode")->text());
    CHECK(ring.pnode_name(location->pnode) == vector.find("pnode")->string(scratch));
    ++seen;
  }
  CHECK(seen == 54);
}
