// Keys that are remembered: each once, in a bounded number of bytes.
#include "reshard/key_set.hpp"

#include <set>
#include <utility>

#include <doctest/doctest.h>

#include "reshard/rows.hpp"

using reshard::KeySet;

namespace {

std::vector<std::vector<std::string>> parts_of(const KeySet& keys) {
  std::vector<std::vector<std::string>> parts;
  keys.each_part([&](const std::vector<std::string>& part) { parts.push_back(part); });
  return parts;
}

}  // namespace

TEST_CASE("key set: each key once, in the order in which they came") {
  KeySet keys;
  CHECK(keys.empty());
  CHECK(keys.insert("b"));
  CHECK(keys.insert("a"));
  CHECK(keys.insert(""));
  CHECK_FALSE(keys.insert("b"));
  CHECK_FALSE(keys.insert(""));
  CHECK(keys.size() == 3);
  CHECK(keys.first(2) == std::vector<std::string>{"b", "a"});
  CHECK(keys.first(9) == std::vector<std::string>{"b", "a", ""});
}

TEST_CASE(
    "key set: many keys agree with a set of strings, and take some 40 bytes each beside theirs") {
  KeySet keys;
  std::set<std::string> twin;
  std::uint64_t bytes = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string key = "/poseidon/stor/directory/object-" + std::to_string(i * 7919 % 150'000);
    const bool added = twin.insert(key).second;
    REQUIRE(keys.insert(key) == added);
    if (added) bytes += key.size();
  }
  CHECK(keys.size() == twin.size());
  CHECK(keys.bytes() > bytes);
  CHECK(keys.bytes() < bytes + 56 * keys.size());
  std::set<std::string> seen;
  for (const auto& part : parts_of(keys)) {
    CHECK(part.size() <= reshard::kKeysAtOnce);
    seen.insert(part.begin(), part.end());
  }
  CHECK(seen == twin);
}

TEST_CASE("key set: a part is bounded in bytes, but for a key that is longer") {
  KeySet keys;
  for (int i = 0; i < 10; ++i) keys.insert(std::string(300'000, static_cast<char>('a' + i)));
  keys.insert(std::string(2 * reshard::kKeyBytesAtOnce, 'z'));
  keys.insert("short");
  std::size_t count = 0;
  for (const auto& part : parts_of(keys)) {
    std::size_t bytes = 0;
    for (const std::string& key : part) bytes += key.size();
    CHECK((part.size() == 1 || bytes <= reshard::kKeyBytesAtOnce));
    count += part.size();
  }
  CHECK(count == keys.size());
}

TEST_CASE("key set: what was moved away is whole, and what is left is empty") {
  KeySet keys;
  for (int i = 0; i < 1'000; ++i) keys.insert("key " + std::to_string(i));
  const KeySet moved = std::exchange(keys, {});
  CHECK(moved.size() == 1'000);
  CHECK(moved.first(1'000).back() == "key 999");
  CHECK(keys.empty());
  CHECK(keys.insert("key 1"));
}
