#include "backends/postgres/wire/identifier.hpp"

#include "objects/text.hpp"

namespace backends::postgres {
namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

}  // namespace

std::string identifier(std::string_view name) {
  return quoted(objects::text::lower_ascii(name), '"');
}

/// A backslash means the same everywhere only in an E'' text.
std::string literal(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return quoted(text, '\'');
  std::string doubled;
  for (const char c : text) {
    if (c == '\\') doubled += '\\';
    doubled += c;
  }
  return " E" + quoted(doubled, '\'');
}

}  // namespace backends::postgres
