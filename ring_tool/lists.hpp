#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Lists as node-fash's options take them: members between runs of commas and spaces.
namespace ring_tool {

/// Empty members are dropped.
std::vector<std::string> split_list(std::string_view text);

/// Members that are whole decimal numbers, signs and leading zeros allowed; node-fash skips all
/// others without a word. They may be negative or too large for any ring.
std::vector<std::int64_t> vnode_list(std::string_view text);

/// What JavaScript's Number() makes of a text; NaN where it is no number.
double javascript_number(const std::string& text);

}  // namespace ring_tool
