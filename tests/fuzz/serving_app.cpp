#include "tests/fuzz/serving_app.hpp"

#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring/generation_store.hpp"
#include "ring/topology.hpp"
#include "tests/fuzz/require.hpp"

namespace {

/// Until the other side has ended, too: a connection of its own for each input.
std::string talk(const sockaddr* address, socklen_t size, std::string_view bytes) {
  const int socket = ::socket(address->sa_family, SOCK_STREAM, 0);
  require(socket >= 0 && ::connect(socket, address, size) == 0, "the router takes connections");
  const timeval limit{20, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) break;  // it has heard enough
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  ::shutdown(socket, SHUT_WR);
  std::string answer;
  char part[4096];
  ssize_t got;
  // The fuzzer's own alarm interrupts it.
  while ((got = ::recv(socket, part, sizeof part, 0)) > 0 || (got < 0 && errno == EINTR))
    if (got > 0) answer.append(part, static_cast<std::size_t>(got));
  require(got == 0 || errno == ECONNRESET, "a connection ends");
  ::close(socket);
  return answer;
}

}  // namespace

ServingApp& ServingApp::get() {
  static auto* app = new ServingApp;  // its threads go with the process
  return *app;
}

ServingApp::ServingApp() {
  const std::vector<std::string> pnodes{"tcp://1.moray.lab:2020", "tcp://2.moray.lab:2020"};
  ring::GenerationStore store(directory_.path() / "rings");
  store.activate(
      store.stage_ring(*ring::create_ring(ring::Algorithm::sha256, 16, pnodes)).generation);
  config::Config config;
  config.listen = config.monitor = config.status = {"127.0.0.1", 0};
  config.admin_socket = directory_.path() / "admin.sock";
  config.ring_location = directory_.path() / "rings";
  config.workers = 1;
  for (const std::string& pnode : pnodes) {
    config::Shard shard;
    shard.pnode = pnode;
    shard.backend = config::Backend::embedded;
    shard.path = directory_.path() / ("shard" + std::to_string(config.shards.size()));
    shard.sync = false;
    config.shards.push_back(shard);
  }
  const int nowhere = ::open("/dev/null", O_WRONLY);
  app_ = std::make_unique<router::App>(config, "", nowhere, router::App::Signals::not_ours);
  std::thread([this] { app_->run(); }).detach();
}

std::string ServingApp::to_admin(std::string_view bytes) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (directory_.path() / "admin.sock").string().copy(address.sun_path, sizeof address.sun_path - 1);
  return talk(reinterpret_cast<const sockaddr*>(&address), sizeof address, bytes);
}

std::string ServingApp::to_status_pages(std::string_view bytes) const {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(app_->ports().status);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return talk(reinterpret_cast<const sockaddr*>(&address), sizeof address, bytes);
}
