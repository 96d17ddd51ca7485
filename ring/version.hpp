#pragma once

#include <string_view>

namespace ring {

/// The format's version, as written by us and by today's node-fash.
inline constexpr std::string_view kVersion = "2.1.0";

/// Whether a ring of this version can be read: one to three numbers between dots, not newer than
/// kVersion. node-fash's own test has holes (docs/ring.md); this one compares as versions do.
bool acceptable_version(std::string_view version);

}  // namespace ring
