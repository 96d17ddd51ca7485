#include "ring/ring.hpp"

#include <stdexcept>

#include <doctest/doctest.h>

#include "ring/topology.hpp"

namespace {

using ring::Ring;
using ring::RingParts;
using ring::Vnode;

RingParts two_pnodes() {
  return {.algorithm = ring::Algorithm::sha256,
          .interval_hex = std::string(64, '3'),
          .pnodes = {"a", "b"},
          .owners = {0, 1, 0, 1, 1},
          .data = {{3, "\"ro\""}, {1, "{\"k\":1}"}}};
}

template <typename Change>
std::string refusal(Change change) {
  RingParts changed = two_pnodes();
  change(changed);
  try {
    Ring::make(std::move(changed));
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

ring::Digest filled(std::uint8_t byte) {
  ring::Digest digest{.bytes = {}, .size = 32};
  digest.bytes.fill(byte);
  return digest;
}

}  // namespace

TEST_CASE("ring: answers what it was made of") {
  const auto made = Ring::make(two_pnodes());
  CHECK(made->vnode_count() == 5);
  CHECK(made->pnodes().size() == 2);
  CHECK(made->pnode_named("b") == ring::PnodeIndex{1});
  CHECK(!made->pnode_named("c"));
  CHECK(made->owner(Vnode{4}) == ring::PnodeIndex{1});
  CHECK(made->vnodes_of(ring::PnodeIndex{0}) == std::vector{Vnode{0}, Vnode{2}});
  CHECK(made->version() == "2.1.0");
  CHECK(made->interval_hex() == std::string(64, '3'));
}

TEST_CASE("ring: data is kept verbatim, and only the string ro is read-only") {
  const auto made = Ring::make(two_pnodes());
  CHECK(made->data_json(Vnode{0}) == "1");
  CHECK(made->data_json(Vnode{1}) == "{\"k\":1}");
  CHECK(made->read_only(Vnode{3}));
  CHECK(!made->read_only(Vnode{1}));
  CHECK(made->any_data());
  CHECK(made->data_vnodes() == std::vector{Vnode{1}, Vnode{3}});
}

TEST_CASE("ring: data 1 is no data, the string \"1\" is") {
  RingParts changed = two_pnodes();
  changed.data = {{0, "1"}};
  CHECK(!Ring::make(changed)->any_data());
  changed.data = {{0, "\"1\""}};
  CHECK(Ring::make(changed)->any_data());
}

TEST_CASE("ring: a hash behind the last vnode has no place") {
  const auto made = Ring::make(two_pnodes());
  CHECK(made->locate_hash(filled(0x00))->vnode == Vnode{0});
  CHECK(made->locate_hash(filled(0x33))->vnode == Vnode{1});
  CHECK(made->locate_hash(filled(0xfe))->vnode == Vnode{4});
  CHECK(!made->locate_hash(filled(0xff)));
}

TEST_CASE("ring: impossible parts are refused by name") {
  const auto says = [](const std::string& text, const char* words) {
    CAPTURE(text);
    CHECK(text.find(words) != std::string::npos);
  };
  says(refusal([](auto& p) { p.owners.clear(); }), "no vnodes");
  says(refusal([](auto& p) { p.pnodes.clear(); }), "no pnodes");
  says(refusal([](auto& p) { p.pnodes[1] = "a"; }), "pnode \"a\" is listed twice");
  says(refusal([](auto& p) { p.owners[2] = 2; }), "vnode 2 belongs to no pnode");
  says(refusal([](auto& p) { p.data[0].first = 5; }), "vnode 5 has data but does not exist");
  says(refusal([](auto& p) { p.data[0].first = 1; }), "vnode 1 has data twice");
  says(refusal([](auto& p) { p.pnodes.resize(70000); }), "65,535");
  says(refusal([](auto& p) {
         p.owners.resize(4);
         p.data.clear();
       }),
       "too small for 4 vnodes");
  for (const char* interval : {"", "0", "00", "xyz", "1"})
    says(refusal([&](auto& p) { p.interval_hex = interval; }), "VNODE_HASH_INTERVAL");
}

TEST_CASE("ring: a million vnodes cost under 4 MB, with or without data") {
  RingParts million;
  million.interval_hex = "10c6f7a0b5ed8d36b4c7f34938583621fafc8b0079a2834d26fa3fcc9ea9";
  million.pnodes = {"tcp://1.moray.example.com:2020", "tcp://2.moray.example.com:2020"};
  for (std::uint32_t v = 0; v < 1'000'000; ++v) million.owners.push_back(v % 2);
  const auto plain = Ring::make(million);
  CHECK(plain->bytes() < 2'100'000);
  for (std::uint32_t v = 0; v < 1'000'000; ++v)
    million.data.emplace_back(v, v % 3 == 0 ? "\"ro\"" : "\"moving\"");
  const auto full = Ring::make(million);
  CHECK(full->bytes() < 4'000'000);
  CHECK(full->read_only(Vnode{999'999}));
  CHECK(full->data_json(Vnode{1}) == "\"moving\"");
  CHECK(full->data_vnodes().size() == 1'000'000);
}

TEST_CASE("ring: a thousand different data in a small ring") {
  RingParts varied = two_pnodes();
  varied.owners.assign(1000, 0);
  varied.data.clear();
  for (std::uint32_t v = 0; v < 1000; ++v) varied.data.emplace_back(v, std::to_string(v + 2));
  const auto made = Ring::make(varied);
  for (std::uint32_t v = 0; v < 1000; ++v)
    CHECK(made->data_json(static_cast<Vnode>(v)) == std::to_string(v + 2));
}
