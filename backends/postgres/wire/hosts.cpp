#include "backends/postgres/wire/hosts.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include <libpq-fe.h>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

namespace backends::postgres {
namespace {

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream text(list);
  for (std::string part; std::getline(text, part, ',');) parts.push_back(part);
  return parts;
}

bool is_address(const std::string& text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  return !error;
}

bool is_directory(const std::string& host) {
  return host.empty() || host[0] == '/' || host[0] == '@';
}

}  // namespace

std::vector<Host> named_hosts(const std::string& url) {
  std::string hosts, ports;
  bool addresses = false;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), nullptr);
  for (const PQconninfoOption* each = options; each != nullptr && each->keyword != nullptr;
       ++each) {
    const std::string keyword = each->keyword, value = each->val == nullptr ? "" : each->val;
    if (keyword == "host") hosts = value;
    if (keyword == "port") ports = value;
    if (keyword == "hostaddr" && !value.empty()) addresses = true;
  }
  PQconninfoFree(options);
  const auto port_list = parts_of(ports);
  std::vector<Host> all;
  bool names = false;
  for (const std::string& name : parts_of(hosts)) {
    if (is_directory(name)) return {};  // libpq takes addresses for all of its hosts, or for none
    const std::string port = port_list.size() == 1           ? port_list[0]
                             : all.size() < port_list.size() ? port_list[all.size()]
                                                             : "";
    const bool address = is_address(name);
    names = names || !address;
    all.push_back({name, port, address ? name : ""});
  }
  if (addresses || !names) return {};
  return all;
}

struct HostLookup::State {
  std::vector<NamedHost> hosts;
  std::vector<std::optional<std::vector<std::string>>> found;  // by host
  std::function<void(std::vector<Host>, std::string)> done;

  /// A source's first answer; it may have others later.
  void take(std::size_t host, const dns::AddressSource::Addresses& addresses) {
    if (found[host]) return;
    found[host].emplace();
    for (const auto& endpoint : addresses) found[host]->push_back(endpoint.address().to_string());
  }

  void answer_if_done() {
    if (!std::all_of(found.begin(), found.end(), [](const auto& each) { return each.has_value(); }))
      return;
    std::vector<Host> all;
    std::string problem;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const Host& host = hosts[i].host;
      for (const std::string& address : *found[i]) all.push_back({host.name, host.port, address});
      if (found[i]->empty())
        problem += (problem.empty() ? "" : "; ") +
                   ("host name \"" + host.name + "\": it has no address, or nobody says");
    }
    if (const auto call = std::exchange(done, nullptr)) call(std::move(all), problem);
  }
};

/// By way of the loop: a watch must not end inside its own call.
HostLookup::HostLookup(boost::asio::io_context& loop, const std::vector<NamedHost>& hosts,
                       std::function<void(std::vector<Host>, std::string)> done)
    : state_(std::make_shared<State>()) {
  state_->found.resize(hosts.size());
  state_->hosts = hosts;
  state_->done = std::move(done);
  for (std::size_t i = 0; i < hosts.size(); ++i)
    watched_.push_back(
        hosts[i].source->watch(loop, [&loop, state = state_, i](const auto& addresses) {
          state->take(i, addresses);
          boost::asio::post(loop, [state] { state->answer_if_done(); });
        }));
}

HostLookup::~HostLookup() { state_->done = nullptr; }

}  // namespace backends::postgres
