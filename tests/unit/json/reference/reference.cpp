#include "tests/unit/json/reference/reference.hpp"

#include <array>
#include <cctype>

#include <nlohmann/json.hpp>

namespace json_reference {
namespace {

constexpr std::size_t kDigitsMax = 15;

/// The code unit of a \uXXXX escape at `at`; -1 when there is none.
long unit_at(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  for (std::size_t digit = at + 2; digit < at + 6; ++digit)
    if (!std::isxdigit(static_cast<unsigned char>(text[digit]))) return -1;
  return std::stol(std::string(text.substr(at + 2, 4)), nullptr, 16);
}

bool is_high(long unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(long unit) { return unit >= 0xdc00 && unit < 0xe000; }

/// Copies the escape at `at`; returns the offset behind it.
std::size_t copy_escape(std::string_view text, std::size_t at, std::string& out) {
  const long unit = unit_at(text, at);
  std::size_t size = unit < 0 ? 2 : 6;
  if (is_high(unit) && is_low(unit_at(text, at + 6)))
    size = 12;
  else if (is_high(unit) || is_low(unit))
    return out += "\\ufffd", at + 6;
  out += text.substr(at, size);
  return at + size;
}

/// Copies the digits at `at`, shortened; returns the offset behind them.
std::size_t copy_digits(std::string_view text, std::size_t at, std::string& out) {
  std::size_t end = at;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
  std::size_t before = at;
  if (before > 0 && (text[before - 1] == '+' || text[before - 1] == '-')) --before;
  const bool exponent = before > 0 && (text[before - 1] == 'e' || text[before - 1] == 'E');
  out += exponent ? "0" : text.substr(at, std::min(end - at, kDigitsMax));
  return end;
}

std::string pick(std::mt19937& random, std::initializer_list<const char*> choices) {
  return *(choices.begin() + random() % choices.size());
}

std::string random_string(std::mt19937& random) {
  std::string text = "\"";
  for (auto pieces = random() % 6; pieces > 0; --pieces)
    text += pick(random, {"a",
                          "key",
                          "name",
                          "{",
                          "]",
                          ",",
                          ":",
                          " ",
                          "\\\"",
                          "\\\\",
                          "\\/",
                          "\\n",
                          "\\u0061",
                          "\\u00e9",
                          "\\ud83d\\ude00",
                          "\\ud800",
                          "\\uDFFF",
                          "é",
                          "日本",
                          "😀",
                          "a long piece of text that fills more than one block of sixty-four "});
  return text + "\"";
}

std::string random_space(std::mt19937& random) {
  return random() % 8 ? "" : pick(random, {" ", "\n", "\t\r", "    "});
}

std::string random_name(std::mt19937& random) {
  return random() % 3 ? pick(random, {"\"a\"", "\"b\"", "\"\\u0061\"", "\"name\"", "\"n\\u0061me\"",
                                      "\"vnode\"", "\"\""})
                      : random_string(random);
}

std::string random_value(std::mt19937& random, int depth_left) {
  const auto kind = random() % (depth_left > 0 ? 8 : 5);
  if (kind == 0) return pick(random, {"true", "false", "null"});
  if (kind <= 2)
    return pick(random, {"0", "-0", "1", "42", "-17", "1.5", "1e9", "1E+400", "-2.50e-3", "0.1e1",
                         "123456789012345678901234567890", "1700000000000"});
  if (kind <= 4) return random_string(random);
  const bool object = kind != 5;
  std::string text = object ? "{" : "[";
  const auto count = random() % 6;
  for (unsigned i = 0; i < count; ++i) {
    if (i > 0) text += "," + random_space(random);
    if (object) text += random_space(random) + random_name(random) + random_space(random) + ":";
    text += random_space(random) + random_value(random, depth_left - 1) + random_space(random);
  }
  return text + (object ? "}" : "]");
}

}  // namespace

bool accepts(const std::string& text) {
  if (text.find('\0') != std::string::npos || text.starts_with("\xef\xbb\xbf")) return false;
  return nlohmann::json::accept(repaired(text));
}

std::string repaired(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\') {
      at = copy_escape(text, at, out);
    } else if (!in_string && std::isdigit(static_cast<unsigned char>(text[at]))) {
      at = copy_digits(text, at, out);
    } else {
      out += text[at++];
    }
  }
  return out;
}

std::string random_text(std::mt19937& random) {
  return random_space(random) + random_value(random, static_cast<int>(random() % 5)) +
         random_space(random);
}

std::string mutated(std::string text, std::mt19937& random) {
  static constexpr std::string_view telling =
      "\"\\{}[],:0-+.eEtfnu \n\t\x0c\x1a\x01\x80\xed\xff/a1";
  for (auto edits = 1 + random() % 3; edits > 0; --edits) {
    const std::size_t at = random() % (text.size() + 1);
    const char byte =
        random() % 4 ? telling[random() % telling.size()] : static_cast<char>(random());
    if (random() % 3 == 0)
      text.insert(at, 1, byte);
    else if (at == text.size())
      continue;
    else if (random() % 2 == 0)
      text.erase(at, 1 + random() % 2);
    else
      text[at] = byte;
  }
  return text;
}

}  // namespace json_reference
