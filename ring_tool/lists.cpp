#include "ring_tool/lists.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace ring_tool {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> members;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(", ", at), text.size());
    if (end > at) members.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return members;
}

std::vector<std::int64_t> vnode_list(std::string_view text) {
  std::vector<std::int64_t> vnodes;
  for (const std::string& member : split_list(text)) {
    const char* begin = member.c_str() + (member[0] == '+' ? 1 : 0);
    const char* end = member.c_str() + member.size();
    std::int64_t vnode = 0;
    const auto read = std::from_chars(begin, end, vnode);
    if (read.ec == std::errc() && read.ptr == end) vnodes.push_back(vnode);
  }
  return vnodes;
}

double javascript_number(const std::string& text) {
  if (text.find_first_of("pPnN") != std::string::npos && text != "NaN")
    return std::nan("");  // C's own forms
  if (text.starts_with("0x") || text.starts_with("0X")) {
    char* end = nullptr;
    const double number = static_cast<double>(std::strtoull(text.c_str() + 2, &end, 16));
    return *end == '\0' && text.size() > 2 ? number : std::nan("");
  }
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return *end == '\0' ? number : std::nan("");
}

}  // namespace ring_tool
