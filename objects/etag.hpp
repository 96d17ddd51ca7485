#pragma once

#include <string>
#include <string_view>

namespace objects {

/// The etag of a stored text: CRC-32 (IEEE) fed with the low 8 bits of each UTF-16 code unit,
/// 8 upper-case hex digits. `text` is valid UTF-8. Pure; O(bytes).
std::string etag_of(std::string_view text);

}  // namespace objects
