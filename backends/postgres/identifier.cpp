#include "backends/postgres/identifier.hpp"

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
std::string literal(std::string_view text) { return quoted(text, '\''); }

}  // namespace backends::postgres
