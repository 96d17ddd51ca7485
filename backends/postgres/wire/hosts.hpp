#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/dns/addresses.hpp"

namespace backends::postgres {

/// A host of a libpq URL.
struct Host {
  std::string name;     ///< as the URL has it: certificates and passwords are looked up by it
  std::string port;     ///< empty: libpq's default
  std::string address;  ///< an IP address
  bool operator==(const Host&) const = default;
};

/// The hosts whose names libpq would look up, and block meanwhile. Empty: it would not, or the URL
/// leaves the hosts to a service file or the environment.
std::vector<Host> named_hosts(const std::string& url);

/// A host and where its addresses are told.
struct NamedHost {
  Host host;
  std::shared_ptr<dns::AddressSource> source;
};

/// The addresses of a URL's hosts, for one connection: as their names' servers say now, or have
/// said for as long as that holds, so that a failover that changes a name's address is followed.
/// One name that nobody knows delays no other. Lives on one worker.
class HostLookup {
 public:
  /// `done` gets every address of every name, in the URL's order, and what went wrong with the
  /// names that have none. Not called once this object has ended, and never from inside the
  /// constructor.
  HostLookup(boost::asio::io_context& loop, const std::vector<NamedHost>& hosts,
             std::function<void(std::vector<Host>, std::string problem)> done);
  ~HostLookup();
  HostLookup(const HostLookup&) = delete;
  HostLookup& operator=(const HostLookup&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::vector<std::shared_ptr<void>> watched_;
};

}  // namespace backends::postgres
