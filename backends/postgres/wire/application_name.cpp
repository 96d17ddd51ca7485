#include "backends/postgres/wire/application_name.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace backends::postgres {
namespace {

constexpr std::size_t kBytesMax = 63;  // NAMEDATALEN - 1: the server cuts longer ones

}  // namespace

std::string application_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const std::string before = "moray-router ", after = ":" + std::to_string(getpid());
  std::string name = host.data();
  name.resize(std::min(name.size(), kBytesMax - before.size() - after.size()));
  return before + name + after;
}

}  // namespace backends::postgres
