#pragma once

#include <optional>
#include <span>
#include <string>

namespace ring {

/// Orders names by UTF-16 code units, as JavaScript's sort does: a supplementary character comes
/// before U+E000 and above. Both names are valid UTF-8.
bool before_in_utf16(const std::string& a, const std::string& b);

/// Orders names as JavaScript orders an object's members: canonical array indices ("0" to
/// "4294967294") first, by number; all others are equivalent, so that a stable sort keeps them.
bool before_in_javascript(const std::string& a, const std::string& b);

/// A pair of pnodes whose keys in a LevelDB ring are the same, in words: the list of pnode "a/1"
/// and vnode 1 of pnode "a" share one. nullopt: none.
std::optional<std::string> key_collision(std::span<const std::string> pnodes);

}  // namespace ring
