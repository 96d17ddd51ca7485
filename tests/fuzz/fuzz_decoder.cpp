// The decoder, fed a stream split anywhere, says what it says of the stream in one piece, and
// nothing but frames whose sums are right.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "fast/checksum.hpp"
#include "fast/decoder.hpp"

namespace {

constexpr std::size_t kPayloadBytesMax = 4096;

struct Outcome {
  std::vector<std::string> frames;
  std::string failure;
  bool operator==(const Outcome&) const = default;
};

std::string describe(const fast::Frame& frame) {
  if (fast::checksum(frame.version, frame.payload) != frame.checksum) std::abort();
  if (frame.message_id > fast::kMessageIdMax || frame.payload.size() > kPayloadBytesMax)
    std::abort();
  return std::to_string(static_cast<int>(frame.version)) +
         std::to_string(static_cast<int>(frame.status)) + " " + std::to_string(frame.message_id) +
         " " + std::string(frame.payload);
}

/// Takes what is whole; false after a failure.
bool take(fast::Decoder& decoder, Outcome& outcome) {
  for (;;) {
    const fast::Decoded decoded = decoder.next();
    if (const auto* frame = std::get_if<fast::Frame>(&decoded)) {
      outcome.frames.push_back(describe(*frame));
      continue;
    }
    if (const auto* failure = std::get_if<fast::DecodeFailure>(&decoded)) {
      outcome.failure = to_string(failure->error);
      return false;
    }
    return true;
  }
}

/// `step` bytes at a time; some by way of `direct_tail`.
Outcome decode(std::string_view stream, std::size_t step) {
  fast::Decoder decoder(kPayloadBytesMax);
  Outcome outcome;
  while (!stream.empty()) {
    const std::span<char> direct = decoder.direct_tail();
    if (!direct.empty()) {
      const std::size_t bytes = std::min({direct.size(), stream.size(), step});
      std::memcpy(direct.data(), stream.data(), bytes);
      stream.remove_prefix(bytes);
      decoder.wrote(bytes);
      if (!take(decoder, outcome)) return outcome;
      decoder.settle();
      continue;
    }
    const std::string piece(stream.substr(0, step));  // a buffer of its own: reads beyond it show
    stream.remove_prefix(piece.size());
    decoder.feed(piece);
    if (!take(decoder, outcome)) return outcome;
    decoder.settle();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 61;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (decode(stream, stream.size() + 1) != decode(stream, step)) std::abort();
  return 0;
}
