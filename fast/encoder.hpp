#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fast/frame.hpp"

namespace fast {

/// Appends one frame whose payload is the concatenation of `pieces` (each ending at a character
/// boundary) and computes its checksum. Amortised O(bytes); allocates only to grow `out`.
void append_frame(std::string& out, Version version, Status status, std::uint32_t message_id,
                  std::span<const std::string_view> pieces);

/// The same for a payload in one piece.
void append_frame(std::string& out, Version version, Status status, std::uint32_t message_id,
                  std::string_view payload);

/// The same for a payload whose checksum by `version` is known already.
void append_frame_with_checksum(std::string& out, Version version, Status status,
                                std::uint32_t message_id, std::uint16_t checksum,
                                std::span<const std::string_view> pieces);

/// For a payload written in place: reserves a header at the end of `out` and returns its
/// position; the caller then appends the payload and calls finish_frame with that position.
std::size_t begin_frame(std::string& out);
void finish_frame(std::string& out, std::size_t position, Version version, Status status,
                  std::uint32_t message_id);

}  // namespace fast
