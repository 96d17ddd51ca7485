#include "fast/decoder.hpp"

#include <algorithm>
#include <cstring>

#include "fast/checksum.hpp"

namespace fast {
namespace {

// A larger frame in the middle is read straight into the decoder's own buffer.
constexpr std::size_t kDirectBytesMin = 64 << 10;
// So much of a large frame's buffer is touched before it has come.
constexpr std::size_t kDirectBytesMax = 1 << 20;

std::uint32_t get_u32(const char* at) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(at);
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

struct Header {
  std::uint8_t version, type, status;
  std::uint32_t message_id, checksum, payload_bytes;
};

Header read_header(const char* at) {
  return {static_cast<std::uint8_t>(at[0]),
          static_cast<std::uint8_t>(at[1]),
          static_cast<std::uint8_t>(at[2]),
          get_u32(at + 3),
          get_u32(at + 7),
          get_u32(at + 11)};
}

DecodeFailure describe(const Header& header, DecodeError error, bool header_valid) {
  DecodeFailure failure;
  failure.error = error;
  failure.header_valid = header_valid;
  failure.checksum_expected = header.checksum;
  failure.payload_bytes = header.payload_bytes;
  if (!header_valid) return failure;
  failure.version = static_cast<Version>(header.version);
  failure.status = static_cast<Status>(header.status);
  failure.message_id = header.message_id;
  return failure;
}

std::variant<NeedMore, Frame, DecodeFailure> decode(std::string_view bytes,
                                                    std::size_t payload_bytes_max) {
  if (bytes.size() < kHeaderBytes) return NeedMore{};
  const Header header = read_header(bytes.data());
  if (header.version != 1 && header.version != 2)
    return describe(header, DecodeError::bad_version, false);
  if (header.type != 1) return describe(header, DecodeError::bad_type, false);
  if (header.status < 1 || header.status > 3)
    return describe(header, DecodeError::bad_status, false);
  if (header.message_id > kMessageIdMax)
    return describe(header, DecodeError::bad_message_id, false);
  if (header.payload_bytes > payload_bytes_max)
    return describe(header, DecodeError::too_large, true);
  if (bytes.size() - kHeaderBytes < header.payload_bytes) return NeedMore{};

  const std::string_view payload = bytes.substr(kHeaderBytes, header.payload_bytes);
  const auto version = static_cast<Version>(header.version);
  const auto calculated =
      version == Version::v1 ? checksum_v1(payload) : std::optional(checksum_v2(payload));
  if (!calculated || *calculated != header.checksum) {
    DecodeFailure failure = describe(header, DecodeError::bad_checksum, true);
    failure.checksum_calculated = calculated.value_or(0);
    return failure;
  }
  return Frame{version, static_cast<Status>(header.status), header.message_id, *calculated,
               payload};
}

/// Bytes of the frame that begins here, as far as can be told: at least a header.
std::size_t frame_bytes(std::string_view bytes) {
  return bytes.size() < kHeaderBytes ? kHeaderBytes
                                     : kHeaderBytes + read_header(bytes.data()).payload_bytes;
}

}  // namespace

Decoder::Decoder(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

void Decoder::feed(std::string_view bytes) { lent_ = bytes; }

Decoded Decoder::fail(const DecodeFailure& failure) {
  failed_ = true;
  failure_ = failure;
  return failure;
}

/// The frame whose beginning was kept: completed from the lent bytes, no further than its end.
Decoded Decoder::decode_carried() {
  for (;;) {
    const std::string_view held = std::string_view(carried_).substr(carried_begin_);
    const Decoded decoded = decode(held, payload_bytes_max_);
    if (const auto* frame = std::get_if<Frame>(&decoded)) {
      carried_begin_ += kHeaderBytes + frame->payload.size();
      return decoded;
    }
    if (std::holds_alternative<DecodeFailure>(decoded)) return decoded;
    const std::size_t missing = frame_bytes(held) - held.size();
    const std::size_t taken = std::min(missing, lent_.size());
    if (taken == 0) return decoded;
    carried_.append(lent_.substr(0, taken));
    lent_.remove_prefix(taken);
  }
}

void Decoder::drop_used_carry() {
  if (carried_begin_ < carried_.size()) return;
  carried_begin_ = 0;
  carried_.clear();
  if (carried_.capacity() > kDirectBytesMin) carried_.shrink_to_fit();
}

Decoded Decoder::next() {
  if (failed_) return failure_;
  drop_used_carry();
  if (!carried_.empty()) {
    const Decoded decoded = decode_carried();
    if (const auto* failure = std::get_if<DecodeFailure>(&decoded)) return fail(*failure);
    return decoded;
  }
  const Decoded decoded = decode(lent_, payload_bytes_max_);
  if (const auto* failure = std::get_if<DecodeFailure>(&decoded)) return fail(*failure);
  if (const auto* frame = std::get_if<Frame>(&decoded))
    lent_.remove_prefix(kHeaderBytes + frame->payload.size());
  return decoded;
}

void Decoder::settle() {
  if (carried_begin_ > 0) {
    carried_.erase(0, carried_begin_);
    carried_begin_ = 0;
  }
  if (!failed_) carried_.append(lent_);
  lent_ = {};
  if (carried_.empty() || failed_) std::string().swap(carried_);
}

std::span<char> Decoder::direct_tail() {
  if (failed_ || carried_.size() - carried_begin_ < kHeaderBytes) return {};
  const std::string_view held = std::string_view(carried_).substr(carried_begin_);
  const Header header = read_header(held.data());
  const std::size_t whole = kHeaderBytes + header.payload_bytes;
  if (header.payload_bytes > payload_bytes_max_ || whole <= held.size() ||
      whole - held.size() < kDirectBytesMin)
    return {};
  // All of it at once: a buffer that grows is copied each time, and held twice meanwhile. What has
  // not come takes no memory yet, but addresses.
  if (carried_.capacity() < carried_begin_ + whole) carried_.reserve(carried_begin_ + whole);
  direct_begin_ = carried_.size();
  carried_.resize(direct_begin_ + std::min(whole - held.size(), kDirectBytesMax));
  return std::span(carried_).subspan(direct_begin_);
}

void Decoder::wrote(std::size_t bytes) { carried_.resize(direct_begin_ + bytes); }

std::size_t Decoder::unfinished_frame_bytes() const {
  const std::string_view held = std::string_view(carried_).substr(carried_begin_);
  if (failed_ || held.size() < kHeaderBytes) return 0;
  const std::size_t whole = frame_bytes(held);
  return held.size() < whole ? whole : 0;
}

bool Decoder::mid_frame() const {
  return !failed_ && (carried_begin_ < carried_.size() || !lent_.empty());
}

std::size_t Decoder::bytes_held() const { return carried_.capacity(); }

std::string_view to_string(DecodeError error) {
  switch (error) {
    case DecodeError::bad_version: return "bad_version";
    case DecodeError::bad_type: return "bad_type";
    case DecodeError::bad_status: return "bad_status";
    case DecodeError::bad_message_id: return "bad_message_id";
    case DecodeError::too_large: return "too_large";
    case DecodeError::bad_checksum: return "bad_checksum";
  }
  return "unknown";
}

}  // namespace fast
