#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace backends::dns {

/// Where a shard's servers are, as it changes over time. Shared by workers; any thread.
class AddressSource {
 public:
  using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;
  /// Called on the watcher's loop with every new answer, the first one included.
  using Changed = std::function<void(const Addresses&)>;

  virtual ~AddressSource() = default;
  /// Watches until the returned token is destroyed; after that `changed` is not called.
  virtual std::shared_ptr<void> watch(boost::asio::io_context& loop, Changed changed) = 0;
};

/// Addresses that never change; told from inside `watch`.
std::shared_ptr<AddressSource> fixed_addresses(AddressSource::Addresses addresses);

}  // namespace backends::dns
