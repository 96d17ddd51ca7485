#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/dns/addresses.hpp"

namespace backends::dns {

/// Follows names through DNS (c-ares): SRV `_moray._tcp.<name>`, without such records the name's
/// own addresses. Answers are asked for again when their TTL ends; a failed question keeps the old
/// addresses. One thread of its own for the whole process; each worker is told on its own loop.
/// Any thread.
class Resolver {
 public:
  /// `servers`: "address" or "address:port"; empty: the system's.
  explicit Resolver(const std::vector<std::string>& servers);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// The source of a name, shared by all who ask for the same. An IP address needs no DNS.
  /// `follow_srv` false: only the name's own addresses, with `default_port`.
  std::shared_ptr<AddressSource> source(const std::string& name, std::uint16_t default_port,
                                        bool follow_srv);

 private:
  class Engine;
  std::shared_ptr<Engine> engine_;
};

}  // namespace backends::dns
