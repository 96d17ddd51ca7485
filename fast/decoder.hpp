#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "fast/frame.hpp"

namespace fast {

/// Why a byte stream is not Fast. A decoder that met one decodes no further.
enum class DecodeError : std::uint8_t {
  bad_version,     ///< the version byte is neither 1 nor 2
  bad_type,        ///< the type byte is not 1 (JSON)
  bad_status,      ///< the status byte is not DATA, END or ERROR
  bad_message_id,  ///< the top bit of the message id is set
  too_large,       ///< the length field is over the decoder's limit
  bad_checksum,    ///< header and payload disagree, or the payload is not UTF-8 (version 1)
};

/// What a broken frame's header said, as far as it could be read.
struct DecodeFailure {
  DecodeError error = DecodeError::bad_version;
  bool header_valid = false;              ///< version, type, status and message id were all legal
  Version version = Version::v2;          ///< meaningful where header_valid
  Status status = Status::data;           ///< meaningful where header_valid
  std::uint32_t message_id = 0;           ///< meaningful where header_valid
  std::uint32_t checksum_expected = 0;    ///< the header's (32 bits as sent)
  std::uint32_t checksum_calculated = 0;  ///< ours; for bad_checksum only
  std::uint32_t payload_bytes = 0;        ///< the header's length field

  bool operator==(const DecodeFailure&) const = default;
};

/// More bytes are needed before the next frame is whole.
struct NeedMore {
  bool operator==(const NeedMore&) const = default;
};

using Decoded = std::variant<NeedMore, Frame, DecodeFailure>;

/// Cuts a byte stream, split anywhere, into frames. Sans-I/O; lives on one worker.
///
/// Bytes are lent, not given: `feed` a buffer, take frames with `next` until NeedMore, then
/// `settle` so that the unread rest is copied and the buffer can serve another connection.
/// Frames that lie whole in the lent buffer are never copied. A frame's payload is valid until
/// the next call of a non-const member.
class Decoder {
 public:
  /// `payload_bytes_max`: a longer frame fails with too_large before its body is buffered.
  explicit Decoder(std::size_t payload_bytes_max);

  /// Lends the bytes read next from the stream. Call `settle` before the next `feed`.
  void feed(std::string_view bytes);

  /// The next frame. After a DecodeFailure every call repeats it.
  Decoded next();

  /// Keeps a copy of what `feed` lent and `next` has not used. An idle decoder holds no memory.
  void settle();

  /// In the middle of a large frame (after `settle`): where its missing bytes may be read to
  /// directly, saving a copy; empty otherwise. Always report by `wrote` how many were (also none),
  /// then call `next`.
  std::span<char> direct_tail();
  void wrote(std::size_t bytes);

  /// Bytes of the frame that has begun and is not whole, header included; 0: none has, or its
  /// header is not whole yet.
  [[nodiscard]] std::size_t unfinished_frame_bytes() const;

  /// True in the middle of a frame: a FIN now is a protocol error.
  [[nodiscard]] bool mid_frame() const;

  /// Bytes held now in the decoder's own buffer (for budgets), also where it is empty again.
  [[nodiscard]] std::size_t bytes_held() const;
  /// Of a frame that has begun, how many have come (after `settle`).
  [[nodiscard]] std::size_t bytes_carried() const { return carried_.size() - carried_begin_; }

 private:
  Decoded decode_carried();
  Decoded fail(const DecodeFailure& failure);
  void drop_used_carry();

  std::size_t payload_bytes_max_;
  std::string_view lent_;          // fed and not used yet
  std::string carried_;            // bytes kept from earlier feeds, which come before lent_
  std::size_t carried_begin_ = 0;  // how many of them are used
  std::size_t direct_begin_ = 0;   // where direct_tail began
  bool failed_ = false;
  DecodeFailure failure_;
};

/// A short word for logs and metrics, e.g. "bad_checksum".
std::string_view to_string(DecodeError error);

}  // namespace fast
