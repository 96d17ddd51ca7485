#include "backends/dns/resolver.hpp"

#include <map>
#include <tuple>

#include <boost/asio/ip/address.hpp>

#include "backends/dns/addresses.hpp"
#include "backends/dns/resolver_engine.hpp"

namespace backends::dns {

/// The sources by what they follow.
class Resolver::Engine {
 public:
  explicit Engine(const std::vector<std::string>& servers)
      : loop_(std::make_shared<ResolverEngine>(servers)) {}

  std::shared_ptr<AddressSource> source(const std::string& name, std::uint16_t port, bool srv) {
    const std::scoped_lock lock(mutex_);
    auto& known = sources_[{name, port, srv}];
    if (auto source = known.lock()) return source;
    auto source = loop_->follow(name, port, srv);
    known = source;
    return source;
  }

 private:
  std::shared_ptr<ResolverEngine> loop_;
  std::mutex mutex_;
  std::map<std::tuple<std::string, std::uint16_t, bool>, std::weak_ptr<AddressSource>> sources_;
};

Resolver::Resolver(const std::vector<std::string>& servers)
    : engine_(std::make_shared<Engine>(servers)) {}
Resolver::~Resolver() = default;

std::shared_ptr<AddressSource> Resolver::source(const std::string& name, std::uint16_t default_port,
                                                bool follow_srv) {
  boost::system::error_code not_an_address;
  const auto address = boost::asio::ip::make_address(name, not_an_address);
  if (!not_an_address) return fixed_addresses({{address, default_port}});
  return engine_->source(name, default_port, follow_srv);
}

}  // namespace backends::dns
