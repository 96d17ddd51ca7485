#include "backends/postgres/wire/application_name.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace backends::postgres {
namespace {

constexpr std::size_t kBytesMax = 63;  // NAMEDATALEN - 1: the server cuts longer ones

std::string& name_that_was_given() {
  static std::string name;
  return name;
}

}  // namespace

std::string application_of_member(const std::string& fleet, const std::string& id) {
  return ("moray-router " + fleet + "/" + id).substr(0, kBytesMax);
}

void name_application(std::string name) { name_that_was_given() = std::move(name); }

std::string application_name() {
  if (const std::string& given = name_that_was_given(); !given.empty()) return given;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const std::string before = "moray-router ", after = ":" + std::to_string(getpid());
  std::string name = host.data();
  name.resize(std::min(name.size(), kBytesMax - before.size() - after.size()));
  return before + name + after;
}

}  // namespace backends::postgres
