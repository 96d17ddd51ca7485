#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

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

/// Looks names up without blocking; asked anew for each connection, so that a failover that changes
/// a name's address is followed. Lives on one worker.
class HostLookup {
 public:
  /// `done` gets every address of every name, in the URL's order, and what went wrong with the
  /// names that have none. Not called once this object has ended, and never from inside the
  /// constructor.
  HostLookup(boost::asio::io_context& loop, std::vector<Host> hosts,
             std::function<void(std::vector<Host>, std::string problem)> done);
  ~HostLookup();
  HostLookup(const HostLookup&) = delete;
  HostLookup& operator=(const HostLookup&) = delete;

 private:
  struct State;
  boost::asio::ip::tcp::resolver resolver_;
  std::shared_ptr<State> state_;
};

}  // namespace backends::postgres
