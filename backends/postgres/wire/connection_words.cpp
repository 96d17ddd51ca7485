#include "backends/postgres/wire/connection_words.hpp"

#include <memory>
#include <stdexcept>
#include <string_view>

#include <libpq-fe.h>

#include "backends/postgres/wire/query.hpp"

namespace backends::postgres {
namespace {

std::string escaped(std::string_view text, std::string_view what) {
  std::string out;
  for (const char c : text) {
    if (what.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

ConnectionWords connection_words(const std::string& url) {
  char* problem = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> given(
      PQconninfoParse(url.c_str(), &problem), PQconninfoFree);
  const std::unique_ptr<char, void (*)(void*)> freed(problem, PQfreemem);
  if (given == nullptr)
    throw std::invalid_argument(problem == nullptr ? "out of memory" : one_line(problem));
  ConnectionWords words;
  for (const PQconninfoOption* each = given.get(); each->keyword != nullptr; ++each) {
    if (each->val == nullptr) continue;
    if (std::string_view(each->keyword) == "password")
      words.password = each->val;
    else
      words.words += (words.words.empty() ? "" : " ") + std::string(each->keyword) + "='" +
                     escaped(each->val, "'\\") + "'";
  }
  return words;
}

std::string password_line(const std::string& password) {
  return "*:*:*:*:" + escaped(password, ":\\") + "\n";
}

}  // namespace backends::postgres
