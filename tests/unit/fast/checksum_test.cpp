#include "fast/checksum.hpp"

#include <random>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "fast/crc16.hpp"
#include "tests/support/test_data.hpp"

using namespace fast;

namespace {

/// The definitions, bit by bit.
std::uint16_t arc_by_bits(std::string_view bytes, std::uint16_t crc) {
  for (const char c : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ static_cast<unsigned char>(c));
    for (int i = 0; i < 8; ++i)
      crc = static_cast<std::uint16_t>((crc & 1) ? (crc >> 1) ^ 0xa001 : crc >> 1);
  }
  return crc;
}

std::uint16_t xmodem_by_bits(std::string_view bytes, std::uint16_t crc) {
  for (const char c : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ (static_cast<unsigned char>(c) << 8));
    for (int i = 0; i < 8; ++i)
      crc = static_cast<std::uint16_t>((crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1);
  }
  return crc;
}

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

}  // namespace

TEST_CASE("checksum: the recorded sums of real clients") {
  std::size_t seen = 0;
  for (const std::string& line :
       test_support::read_lines(test_support::data_path("fast/crc.jsonl"))) {
    const auto vector = nlohmann::json::parse(line);
    const auto payload = vector["payload"].get<std::string>();
    const auto expected = vector["crc"].get<std::uint16_t>();
    CAPTURE(payload);
    CHECK(checksum(vector["version"] == 1 ? Version::v1 : Version::v2, payload) == expected);
    ++seen;
  }
  CHECK(seen == 704);
}

TEST_CASE("checksum: every way agrees with the definition at every length") {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 700; ++size) {
    const std::string bytes = random_bytes(random, size);
    const auto start = static_cast<std::uint16_t>(random());
    CAPTURE(size);
    CHECK(crc16::arc_tables(bytes, start) == arc_by_bits(bytes, start));
    CHECK(crc16::xmodem_tables(bytes, start) == xmodem_by_bits(bytes, start));
    if (!crc16::folding_available()) continue;
    CHECK(crc16::arc_folding(bytes, start) == arc_by_bits(bytes, start));
    CHECK(crc16::xmodem_folding(bytes, start) == xmodem_by_bits(bytes, start));
  }
}

TEST_CASE("checksum: a text in pieces sums to the same") {
  std::mt19937 random(2);
  const std::string text(5000, 'x');
  for (int round = 0; round < 200; ++round) {
    const std::size_t cut = random() % text.size();
    const std::string_view whole(text);
    CHECK(checksum_v2(whole.substr(cut), checksum_v2(whole.substr(0, cut))) == checksum_v2(whole));
    CHECK(checksum_v1(whole.substr(cut), *checksum_v1(whole.substr(0, cut))) == checksum_v1(whole));
  }
}

TEST_CASE("checksum: a text's end is replaced by a longer, an equal and a shorter one") {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    const std::string beginning = random_bytes(random, random() % 300);
    const std::string old_end = random_bytes(random, random() % 100);
    const std::string first = random_bytes(random, random() % 60),
                      second = random_bytes(random, random() % 60);
    const std::string_view new_end[] = {first, second};
    CHECK(checksum_v2_of_new_end(checksum_v2(beginning + old_end), old_end, new_end) ==
          checksum_v2(beginning + first + second));
  }
}

TEST_CASE("checksum: version 1 refuses what is not UTF-8") {
  for (const char* bytes :
       {"\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"})
    CHECK(checksum_v1(bytes) == std::nullopt);
  CHECK(checksum_v1("\xe2\x82\xac").has_value());
}
