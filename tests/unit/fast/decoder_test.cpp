#include "fast/decoder.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fast/encoder.hpp"
#include "fast/error_payload.hpp"

using namespace fast;

namespace {

struct Owned {
  Version version;
  Status status;
  std::uint32_t message_id;
  std::string payload;
  bool operator==(const Owned&) const = default;
};

std::vector<Owned> some_frames(std::mt19937& random, std::size_t count, std::size_t bytes_max) {
  std::vector<Owned> frames;
  for (std::size_t i = 0; i < count; ++i)
    frames.push_back({random() % 2 ? Version::v1 : Version::v2,
                      static_cast<Status>(1 + random() % 3),
                      static_cast<std::uint32_t>(random() & kMessageIdMax),
                      std::string(random() % bytes_max, static_cast<char>('a' + i % 26))});
  return frames;
}

std::string encoded(const std::vector<Owned>& frames) {
  std::string bytes;
  for (const Owned& frame : frames)
    append_frame(bytes, frame.version, frame.status, frame.message_id, frame.payload);
  return bytes;
}

/// Decodes by feeding pieces of the sizes that `next_size` gives.
template <typename NextSize>
std::vector<Owned> decode_in_pieces(std::string_view bytes, NextSize next_size) {
  Decoder decoder(64 << 20);
  std::vector<Owned> frames;
  while (!bytes.empty()) {
    const std::span<char> direct = decoder.direct_tail();
    const std::size_t size = std::min(bytes.size(), next_size());
    std::string lent;  // dies after the turn, as a worker's buffer does
    if (direct.empty()) {
      lent = std::string(bytes.substr(0, size));
      decoder.feed(lent);
      bytes.remove_prefix(size);
    } else {
      const std::size_t taken = std::min(size, direct.size());
      std::copy_n(bytes.data(), taken, direct.data());
      decoder.wrote(taken);
      bytes.remove_prefix(taken);
    }
    for (Decoded decoded = decoder.next(); std::holds_alternative<Frame>(decoded);
         decoded = decoder.next()) {
      const Frame& frame = std::get<Frame>(decoded);
      frames.push_back({frame.version, frame.status, frame.message_id, std::string(frame.payload)});
    }
    decoder.settle();
  }
  CHECK_FALSE(decoder.mid_frame());
  CHECK(decoder.bytes_held() < 64);
  return frames;
}

DecodeError error_of(std::string bytes, std::size_t bytes_max = 1000) {
  Decoder decoder(bytes_max);
  decoder.feed(bytes);
  const Decoded decoded = decoder.next();
  REQUIRE(std::holds_alternative<DecodeFailure>(decoded));
  CHECK(decoder.next() == decoded);
  return std::get<DecodeFailure>(decoded).error;
}

std::string one_frame() {
  std::string bytes;
  append_frame(bytes, Version::v2, Status::data, 7, "{\"d\":[]}");
  return bytes;
}

}  // namespace

TEST_CASE("decoder: any split of the stream gives the same frames") {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const auto frames = some_frames(random, 20, 300);
    const std::string bytes = encoded(frames);
    CHECK(decode_in_pieces(bytes, [] { return std::size_t{1}; }) == frames);
    CHECK(decode_in_pieces(bytes, [&] { return std::size_t{1 + random() % 400}; }) == frames);
    CHECK(decode_in_pieces(bytes, [] { return std::size_t{1} << 20; }) == frames);
  }
}

TEST_CASE("decoder: large frames are read straight into its buffer") {
  std::mt19937 random(4);
  const auto frames = some_frames(random, 5, 3 << 20);
  CHECK(decode_in_pieces(encoded(frames), [&] { return std::size_t{1 + random() % 200000}; }) ==
        frames);
}

TEST_CASE("decoder: a frame that lies whole in the lent buffer is not copied") {
  const std::string bytes = one_frame() + one_frame();
  Decoder decoder(1000);
  decoder.feed(bytes);
  for (int i = 0; i < 2; ++i) {
    const Decoded decoded = decoder.next();
    REQUIRE(std::holds_alternative<Frame>(decoded));
    const char* payload = std::get<Frame>(decoded).payload.data();
    CHECK(payload >= bytes.data());
    CHECK(payload < bytes.data() + bytes.size());
  }
}

TEST_CASE("decoder: each illegal header field is named, before the body arrives") {
  const auto changed = [](std::size_t at, char to) {
    std::string bytes = one_frame().substr(0, kHeaderBytes);
    bytes[at] = to;
    return bytes;
  };
  CHECK(error_of(changed(0, 0)) == DecodeError::bad_version);
  CHECK(error_of(changed(0, 3)) == DecodeError::bad_version);
  CHECK(error_of(changed(1, 2)) == DecodeError::bad_type);
  CHECK(error_of(changed(2, 0)) == DecodeError::bad_status);
  CHECK(error_of(changed(2, 4)) == DecodeError::bad_status);
  CHECK(error_of(changed(3, '\x80')) == DecodeError::bad_message_id);
  CHECK(error_of(changed(11, '\x7f')) == DecodeError::too_large);
}

TEST_CASE("decoder: a checksum that differs anywhere in its 32 bits is refused") {
  for (const std::size_t at : {7u, 8u, 9u, 10u}) {
    std::string bytes = one_frame();
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    CHECK(error_of(bytes) == DecodeError::bad_checksum);
  }
}

TEST_CASE("decoder: an end inside a frame is visible") {
  Decoder decoder(1000);
  CHECK_FALSE(decoder.mid_frame());
  decoder.feed(std::string_view("\x02\x01\x01", 3));
  CHECK(std::holds_alternative<NeedMore>(decoder.next()));
  decoder.settle();
  CHECK(decoder.mid_frame());
}

TEST_CASE("error payload: strings are escaped as JSON.stringify does") {
  std::string out;
  append_json_string(out, std::string_view("a\"\\\b\f\n\r\t\x01\x1f/\xe2\x82\xac\x00", 15));
  CHECK(out == "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/\xe2\x82\xac\\u0000\"");
}

TEST_CASE("error payload: m.name is null where there is no method") {
  std::string out;
  append_error_payload(out, "", 5, Error{"E", "m", "{}", "{\"a\":1}", ""});
  CHECK(
      out ==
      R"({"m":{"uts":5,"name":null},"d":{"name":"E","message":"m","context":{},"info":{"a":1}}})");
}
