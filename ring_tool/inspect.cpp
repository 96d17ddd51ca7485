#include "ring_tool/inspect.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include <nlohmann/json.hpp>

#include "ring/pnode_order.hpp"

namespace ring_tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLineMax = 60;
constexpr int kDepthMax = 2;

/// Characters, as many as JavaScript would count (but for those beyond U+FFFF, which count once).
std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string quoted(const std::string& text) {
  const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string out = "'";
  for (std::size_t i = 1; i + 1 < json.size(); ++i) {
    if (json[i] == '\'') out += '\\';
    if (json[i] == '\\' && json[i + 1] == '"') continue;  // no escape needed between single quotes
    out += json[i];
  }
  return out + "'";
}

bool identifier(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  });
}

/// Indents what follows the first line.
std::string indented(const std::string& text, const std::string& by) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += by;
  }
  return out;
}

std::string joined(const std::vector<std::string>& items, char open, char close) {
  if (items.empty()) return {open, close};
  std::size_t length = 0;
  for (const std::string& item : items) length += characters(item) + 1;
  const char* between = length > kLineMax ? ",\n  " : ", ";
  std::string out{open, ' '};
  for (std::size_t i = 0; i < items.size(); ++i) out += (i == 0 ? "" : between) + items[i];
  return out + " " + close;
}

std::string print(const Json& value, int depth) {
  if (value.is_string()) return quoted(value.get<std::string>());
  if (!value.is_structured()) return value.dump();
  if (depth > kDepthMax) return value.is_array() ? "[Object]" : "[Object]";
  std::vector<std::string> items;
  if (value.is_array()) {
    for (const Json& item : value) items.push_back(indented(print(item, depth + 1), "  "));
    return joined(items, '[', ']');
  }
  std::vector<std::string> names;
  for (const auto& member : value.items()) names.push_back(member.key());
  std::stable_sort(names.begin(), names.end(), ring::before_in_javascript);
  for (const std::string& name : names) {
    std::string text = print(value.at(name), depth + 1);
    if (text.find('\n') != std::string::npos) text = "\n   " + indented(text, "   ");
    items.push_back((identifier(name) ? name : quoted(name)) + ":" + (text[0] == '\n' ? "" : " ") +
                    text);
  }
  return joined(items, '{', '}');
}

}  // namespace

std::string inspect(const Json& value) { return print(value, 0); }

}  // namespace ring_tool
