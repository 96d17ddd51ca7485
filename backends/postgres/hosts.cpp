#include "backends/postgres/hosts.hpp"

#include <sstream>

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
  std::vector<Host> hosts;
  std::vector<std::vector<std::string>> found;  // by host
  std::string problem;
  std::size_t left = 0;
  std::function<void(std::vector<Host>, std::string)> done;

  void answer_if_done() {
    if (left > 0) return;
    std::vector<Host> all;
    for (std::size_t i = 0; i < hosts.size(); ++i)
      for (const std::string& address : found[i])
        all.push_back({hosts[i].name, hosts[i].port, address});
    if (const auto call = std::exchange(done, nullptr)) call(std::move(all), problem);
  }
};

HostLookup::HostLookup(boost::asio::io_context& loop, std::vector<Host> hosts,
                       std::function<void(std::vector<Host>, std::string)> done)
    : resolver_(loop), state_(std::make_shared<State>()) {
  state_->found.resize(hosts.size());
  state_->hosts = std::move(hosts);
  state_->done = std::move(done);
  state_->left = state_->hosts.size();
  for (std::size_t i = 0; i < state_->hosts.size(); ++i) {
    const Host& host = state_->hosts[i];
    if (!host.address.empty()) {
      state_->found[i].push_back(host.address);
      boost::asio::post(loop, [state = state_] {
        --state->left;
        state->answer_if_done();
      });
      continue;
    }
    resolver_.async_resolve(
        host.name, "",
        [state = state_, i](const boost::system::error_code& error, const auto& results) {
          if (error)
            state->problem += (state->problem.empty() ? "" : "; ") +
                              ("host name \"" + state->hosts[i].name + "\": " + error.message());
          if (!error)
            for (const auto& entry : results)
              state->found[i].push_back(entry.endpoint().address().to_string());
          --state->left;
          state->answer_if_done();
        });
  }
}

HostLookup::~HostLookup() {
  state_->done = nullptr;
  resolver_.cancel();
}

}  // namespace backends::postgres
