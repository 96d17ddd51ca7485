#include "router/app.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include <boost/asio/post.hpp>

#include "backends/postgres/wire/application_name.hpp"
#include "budget/allocator.hpp"
#include "router/app_parts.hpp"
#include "router/loop/loop_thread.hpp"

namespace router {

App::App(config::Config config, std::string config_file, int log_descriptor, Signals signals,
         ring::Loader elsewhere)
    : parts_(std::make_unique<Parts>(config, std::move(config_file), log_descriptor,
                                     std::move(elsewhere))) {
  if (signals == Signals::ours) {  // so is the process
    parts_->handle_signals();
    budget::bound_allocator();
  }
  parts_->start();
}

App::~App() = default;

App::Parts::~Parts() {
  // First those that ask the workers; they may still tell the control, which then listens no more.
  control->stop();
  admin_server.reset();
  monitor_server.reset();
  status_server.reset();
  member.reset();
  workers.clear();
}

void App::Parts::start() {
  const config::Config config = *control->config();
  const bool in_fleet = config.fleet.enabled();
  if (in_fleet) {
    fetch_first_ring();
    if (stopping) return;
    control->in_fleet(config.fleet.name);
    backends::postgres::name_application(
        backends::postgres::application_of_member(config.fleet.name, fleet_settings(config).id));
  }
  control->load();
  const auto published = control->publisher().current();
  const Publication& first = *published;
  const ShardFactory factory = ShardSources::factory(sources);
  for (std::size_t i = 0; i < worker_count(config); ++i) {
    cells.push_back(std::make_unique<WorkerCells>());
    workers.push_back(
        std::make_unique<Worker>(i, WorkerOptions{}, factory, bounds, cells.back().get(), log));
  }
  if (!in_fleet) listen();
  serve_pages();
  serve_admin();
  for (const auto& worker : workers) worker->run(first);
  control->start();
  // What it has before its first client is what it comes back to.
  static_cast<void>(trim.look(bounds->memory.used(), budget::own_memory()));
  keep_memory_low();
  if (in_fleet)
    become_member();
  else
    serve_clients(true);
}

/// Clients connect; they are served by `serve_clients`.
void App::Parts::listen() {
  const config::Config config = *control->config();
  auto socket = ListeningSocket::tcp(config.listen.host, port != 0 ? port : config.listen.port);
  port = socket.port();
  const auto protocol =
      socket.family() == AF_INET6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4();
  // One for all workers: not every system balances SO_REUSEPORT.
  acceptor = std::make_unique<Acceptor>(
      loop, std::move(socket), Acceptor::Options{"clients"}, [this] { return may_accept(); },
      [this, protocol](int accepted) {
        workers[next_worker++ % workers.size()]->adopt(protocol, accepted);
      },
      log);
}

/// At the start a port that is taken is the operator's to see; later somebody has taken it while
/// this router was not to serve.
bool App::Parts::listen_or_later() {
  try {
    listen();
    return has_listened = true;
  } catch (const std::exception& error) {
    if (!has_listened) throw;
    log.error("clients can't be served yet", {{"reason", error.what()}});
  }
  fleet_timer.expires_after(std::chrono::seconds(1));
  fleet_timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) serve_clients(true);
  });
  return false;
}

/// A member of a fleet that is not to serve closes its port, and what is connected.
void App::Parts::serve_clients(bool serves) {
  if (stopping) return;
  fleet_timer.cancel();
  if (ready == serves) return;
  if (!serves) {
    ready = false;
    acceptor.reset();
    for (const auto& worker : workers) worker->drain(std::chrono::milliseconds(0), [] {});
    return log.warn("no clients are served");
  }
  if (acceptor == nullptr && !listen_or_later()) return;
  for (const auto& worker : workers) worker->resume();
  acceptor->start();
  ready = true;
  const auto published = control->publisher().current();
  const auto& snapshot = *published->snapshot;
  const config::Config config = *control->config();
  log.info("listening", {{"host", config.listen.host},
                         {"port", int{port}},
                         {"monitorPort", int{monitor_server->port()}},
                         {"statusPort", int{status_server->port()}},
                         {"workers", static_cast<std::uint64_t>(workers.size())},
                         {"ring", config.ring_location},
                         {"vnodes", std::uint64_t{snapshot.ring->vnode_count()}},
                         {"generation", snapshot.generation},
                         {"ringDigest", snapshot.ring->digest()}});
}

/// On this thread, which serves nobody.
void App::Parts::keep_memory_low() {
  trim_timer.expires_after(std::chrono::seconds(1));
  trim_timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    if (trim.look(bounds->memory.used(), budget::own_memory())) budget::trim_memory();
    keep_memory_low();
  });
}

bool App::Parts::may_accept() const {
  std::size_t sessions = 0;
  for (const auto& worker : workers) sessions += worker->sessions();
  return sessions < control->config()->limits.sessions_max;
}

void App::Parts::begin_stop() {
  if (stopping) {  // asked twice: somebody is in a hurry
    loop.stop();
    return;
  }
  stopping = true;
  ready = false;
  if (acceptor != nullptr) acceptor->stop();
  if (workers.empty()) return loop.stop();
  const std::uint64_t drain_ms = control->config()->timeouts.drain_ms;
  log.info("draining", {{"milliseconds", drain_ms}});
  workers_draining = workers.size();
  for (const auto& worker : workers)
    worker->drain(std::chrono::milliseconds(drain_ms), [this] {
      boost::asio::post(loop, [this] {
        if (--workers_draining == 0) drained();
      });
    });
}

/// A restart keeps a member's place in its fleet.
void App::Parts::drained() {
  if (!leaves || member == nullptr) return loop.stop();
  log.info("leaving the fleet");
  member->shut([this] { boost::asio::post(loop, [this] { leave_when_done(); }); });
}

AppPorts App::ports() const {
  if (parts_->status_server == nullptr) return {};
  return {parts_->port, parts_->monitor_server->port(), parts_->status_server->port()};
}

void App::Parts::wait_for_stop_signal() {
  stop_signals.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    begin_stop();
    wait_for_stop_signal();
  });
}

void App::Parts::wait_for_reload_signal() {
  reload_signals.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    reload();
    wait_for_reload_signal();
  });
}

/// The outcome is logged, and shown by the status page.
void App::Parts::reload() {
  control->reload("", "", [](const auto&) {});
}

void App::Parts::handle_signals() {
  stop_signals.add(SIGTERM);
  stop_signals.add(SIGINT);
  reload_signals.add(SIGHUP);
  wait_for_stop_signal();
  wait_for_reload_signal();
  // One that came before this is taken now (program/main.cpp).
  sigset_t reload;
  sigemptyset(&reload);
  sigaddset(&reload, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &reload, nullptr);
}

void App::run() {
  run_loop(parts_->loop, "main", parts_->log);
  if (parts_->member != nullptr) parts_->end_member();
  parts_->log.info("stopped");
}

bool App::stops() const { return parts_->stopping; }

void App::request_stop() {
  boost::asio::post(parts_->loop, [this] { parts_->begin_stop(); });
}

void App::request_reload() {
  boost::asio::post(parts_->loop, [this] { parts_->reload(); });
}

}  // namespace router
