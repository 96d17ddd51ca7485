#include "router/app.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <future>
#include <stdexcept>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "budget/allocator.hpp"
#include "budget/trim.hpp"
#include "router/admin/admin_server.hpp"
#include "router/admin/commands.hpp"
#include "router/control/ring_control.hpp"
#include "router/log/log.hpp"
#include "router/loop/acceptor.hpp"
#include "router/loop/loop_thread.hpp"
#include "router/pages/http_server.hpp"
#include "router/pages/metrics.hpp"
#include "router/pages/pages.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/worker.hpp"

namespace router {
namespace {

// A worker that does not answer main within this is named, not waited for.
constexpr std::chrono::seconds kStatusAnswer{1};

}  // namespace

struct App::Parts {
  Parts(const config::Config& config, std::string config_file, int descriptor,
        ring::Loader elsewhere)
      : log(config.log.name, log_level_named(config.log.level), descriptor),
        sources(std::make_shared<ShardSources>(
            config,
            [this](const std::string& pnode, const std::string& what) {
              log.error("a connection to a shard is closed", {{"pnode", pnode}, {"reason", what}});
            })),
        control(std::make_unique<RingControl>(config, std::move(config_file), std::move(elsewhere),
                                              sources, workers, log)) {}

  void start();
  void serve_pages();
  void serve_admin();
  void count_heat(bool on);
  void reload();
  void begin_stop();
  void handle_signals();
  void wait_for_stop_signal();
  void keep_memory_low();
  void wait_for_reload_signal();
  [[nodiscard]] bool may_accept() const;
  template <typename Answer>
  std::vector<Answer> ask_workers(void (Worker::*question)(std::function<void(Answer)>));
  PageState page_state();
  HttpPage metrics_page();

  Log log;
  boost::asio::io_context loop{1};
  boost::asio::signal_set stop_signals{loop};
  boost::asio::signal_set reload_signals{loop};
  std::shared_ptr<ShardSources> sources;
  std::chrono::system_clock::time_point started_at = std::chrono::system_clock::now();
  std::shared_ptr<Bounds> bounds = std::make_shared<Bounds>();
  budget::Trim trim;
  boost::asio::steady_timer trim_timer{loop};
  std::vector<std::unique_ptr<WorkerCells>> cells;
  std::unique_ptr<RingControl> control;  // workers tell it of what has ended: it outlives them
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<Acceptor> acceptor;
  std::uint16_t port = 0;
  std::unique_ptr<HttpServer> monitor_server;
  std::unique_ptr<HttpServer> status_server;
  std::unique_ptr<AdminServer> admin_server;
  std::size_t next_worker = 0;
  std::size_t workers_draining = 0;
  bool stopping = false;
  std::vector<std::shared_ptr<Heat>> heat;  // by worker; the admin's thread alone; empty: off
  std::atomic<bool> ready{false};
};

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

App::~App() {
  // First those that ask the workers; they may still tell the control, which then listens no more.
  parts_->control->stop();
  parts_->admin_server.reset();
  parts_->monitor_server.reset();
  parts_->status_server.reset();
  parts_->workers.clear();
}

void App::Parts::start() {
  control->load();
  const config::Config config = *control->config();
  const auto published = control->publisher().current();
  const Publication& first = *published;
  const ShardFactory factory = ShardSources::factory(sources);
  for (std::size_t i = 0; i < worker_count(config); ++i) {
    cells.push_back(std::make_unique<WorkerCells>());
    workers.push_back(
        std::make_unique<Worker>(i, WorkerOptions{}, factory, bounds, cells.back().get(), log));
  }
  auto socket = ListeningSocket::tcp(config.listen.host, config.listen.port);
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
  serve_pages();
  serve_admin();
  for (const auto& worker : workers) worker->run(first);
  control->start();
  acceptor->start();
  // What it has before its first client is what it comes back to.
  static_cast<void>(trim.look(bounds->memory.used(), budget::own_memory()));
  keep_memory_low();
  ready = true;
  const auto& snapshot = *first.snapshot;
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

void App::Parts::serve_pages() {
  const config::Config config = *control->config();
  const auto ready_page = [this] {
    return ready ? HttpPage{200, "application/json", "{\"ready\":true}"}
                 : HttpPage{503, "application/json", "{\"ready\":false}"};
  };
  HttpServer::Pages status_pages{
      {"/status",
       [this] {
         return HttpPage{200, "application/json", status_page(page_state())};
       }},
      {"/ready", ready_page}};
  HttpServer::Pages monitor_pages{
      {"/metrics", [this] { return metrics_page(); }},
      {"/kang/snapshot",
       [this] {
         return HttpPage{200, "application/json", kang_snapshot(page_state())};
       }},
      {"/kang/schema",
       [] {
         return HttpPage{200, "application/json", "{}"};
       }},
      {"/ready", ready_page}};
  monitor_server = std::make_unique<HttpServer>(config.monitor.host, config.monitor.port,
                                                std::move(monitor_pages), log);
  status_server = std::make_unique<HttpServer>(config.status.host, config.status.port,
                                               std::move(status_pages), log);
}

/// A copy of each worker's state; a worker that does not answer in time is left out.
template <typename Answer>
std::vector<Answer> App::Parts::ask_workers(void (Worker::*question)(std::function<void(Answer)>)) {
  std::vector<std::future<Answer>> answers;
  for (const auto& worker : workers) {
    auto promise = std::make_shared<std::promise<Answer>>();
    answers.push_back(promise->get_future());
    (*worker.*question)([promise](Answer answer) { promise->set_value(std::move(answer)); });
  }
  const auto until = std::chrono::steady_clock::now() + kStatusAnswer;
  std::vector<Answer> states;
  for (auto& answer : answers)
    if (answer.wait_until(until) == std::future_status::ready) states.push_back(answer.get());
  return states;
}

PageState App::Parts::page_state() {
  PageState state;
  state.started_at = started_at;
  state.workers = ask_workers(&Worker::status);
  state.published = control->publisher().current();
  state.control = control->status();
  state.publications = control->publisher().counts();
  state.ready = ready;
  return state;
}

HttpPage App::Parts::metrics_page() {
  MetricsState state;
  const PageState page = page_state();
  const auto config = control->config();
  state.page = &page;
  state.log_lines_dropped = log.dropped();
  state.log_lines_suppressed = log.suppressed();
  if (!config->datacenter.empty()) state.labels["datacenter"] = config->datacenter;
  if (!config->server_uuid.empty()) state.labels["server"] = config->server_uuid;
  return {200, "text/plain; version=0.0.4", metrics_text(cells, state)};
}

/// Commands come in on the admin's thread and are answered from wherever they end.
void App::Parts::serve_admin() {
  const std::string path = control->config()->admin_socket;
  if (path.empty()) return;
  AdminActions actions;
  actions.state = [this] { return page_state(); };
  actions.control = control.get();
  actions.reads = [this]() -> std::optional<std::vector<WorkerReads>> {
    auto all = ask_workers(&Worker::reads);
    if (all.size() < workers.size()) return std::nullopt;
    return all;
  };
  actions.log_level = [this](const std::optional<std::string>& level) {
    if (level) log.set_level(log_level_named(*level));
    return std::string(to_string(log.level()));
  };
  actions.heat = [this](const std::optional<bool>& on) {
    if (on) count_heat(*on);
    return heat;
  };
  actions.call = [this](std::string payload, LocalCall::Done done) {
    workers.front()->call(std::move(payload), std::move(done));
  };
  actions.drain = [this] { boost::asio::post(loop, [this] { begin_stop(); }); };
  try {
    admin_server = std::make_unique<AdminServer>(
        path,
        [actions](std::string_view line, AdminServer::Reply reply) {
          perform_admin_line(actions, line, std::move(reply));
        },
        log);
  } catch (const std::exception& error) {
    // Where nobody asked for it, its absence is no reason not to serve.
    if (path != config::Config().admin_socket) throw;
    log.warn("no admin socket", {{"reason", error.what()}});
  }
}

/// The admin's thread. A ring of another count that comes later is counted as far as it fits.
void App::Parts::count_heat(bool on) {
  heat.clear();
  const std::uint32_t vnodes = control->publisher().current()->snapshot->ring->vnode_count();
  for (const auto& worker : workers) {
    auto cells_of_it = on ? std::make_shared<Heat>(vnodes) : nullptr;
    if (on) heat.push_back(cells_of_it);
    worker->count_heat(cells_of_it);
  }
}

void App::Parts::begin_stop() {
  if (stopping) {  // asked twice: somebody is in a hurry
    loop.stop();
    return;
  }
  stopping = true;
  ready = false;
  acceptor->stop();
  const std::uint64_t drain_ms = control->config()->timeouts.drain_ms;
  log.info("draining", {{"milliseconds", drain_ms}});
  workers_draining = workers.size();
  for (const auto& worker : workers)
    worker->drain(std::chrono::milliseconds(drain_ms), [this] {
      boost::asio::post(loop, [this] {
        if (--workers_draining == 0) loop.stop();
      });
    });
}

AppPorts App::ports() const {
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
  const auto keep_running = boost::asio::make_work_guard(parts_->loop);
  run_loop(parts_->loop, "main", parts_->log);
  parts_->log.info("stopped");
}

void App::request_stop() {
  boost::asio::post(parts_->loop, [this] { parts_->begin_stop(); });
}

void App::request_reload() {
  boost::asio::post(parts_->loop, [this] { parts_->reload(); });
}

}  // namespace router
