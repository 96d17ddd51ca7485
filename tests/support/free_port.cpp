#include "tests/support/free_port.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <stdexcept>

namespace test_support {
namespace {

/// 0, which is any: where the system keeps none for servers.
std::uint16_t candidate() {
  constexpr unsigned kLowest = 10'000;
  static std::random_device random;
  unsigned given = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> given;
  if (given < kLowest + 1'000) return 0;
  return static_cast<std::uint16_t>(kLowest + random() % (given - kLowest));
}

}  // namespace

std::uint16_t free_port() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(candidate());
    socklen_t size = sizeof address;
    const bool bound = bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    close(probe);
    if (bound) return ntohs(address.sin_port);
  }
  throw std::runtime_error("no port is free");
}

}  // namespace test_support
