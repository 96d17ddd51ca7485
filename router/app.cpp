#include "router/app.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <boost/asio/post.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/signal_set.hpp>

#include "router/admin/admin_server.hpp"
#include "router/admin/commands.hpp"
#include "router/cells.hpp"
#include "router/http/http_server.hpp"
#include "router/listener.hpp"
#include "router/log.hpp"
#include "router/metrics.hpp"
#include "router/pages.hpp"
#include "router/prepare.hpp"
#include "router/worker.hpp"

namespace router {
namespace {

// A worker that does not answer main within this is named, not waited for.
constexpr std::chrono::seconds kWorkerAnswer{1};
// A ring of 100,000,000 vnodes takes half a minute to load.
constexpr std::chrono::seconds kReloadAnswer{120};
constexpr std::chrono::milliseconds kReloadLook{50};

}  // namespace

struct App::Parts {
  Parts(config::Config config_, std::string config_file_, int descriptor)
      : config(std::move(config_)),
        config_file(std::move(config_file_)),
        log(config.log.name, log_level_named(config.log.level), descriptor) {}

  void start();
  void serve_pages();
  /// `ring`: another place than the configuration's; `digest`: what the ring must be. Both may be empty.
  AdminActions::Reloaded reload(const std::string& ring, const std::string& digest);
  void serve_admin();
  void begin_stop();
  void handle_signals();
  void wait_for_stop_signal();
  void wait_for_reload_signal();
  [[nodiscard]] bool may_accept() const;
  std::vector<WorkerStatus> ask_workers();
  PageState page_state();
  HttpPage metrics_page();

  config::Config config;
  std::string config_file;
  Log log;
  boost::asio::io_context loop{1};
  boost::asio::signal_set stop_signals{loop};
  boost::asio::signal_set reload_signals{loop};
  std::shared_ptr<ShardSources> sources;
  ShardSources::Opened opened;  // what the published shards need
  std::chrono::system_clock::time_point started_at = std::chrono::system_clock::now();
  std::vector<std::unique_ptr<WorkerCells>> cells;
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<HttpServer> monitor_server;
  std::unique_ptr<HttpServer> status_server;
  std::unique_ptr<AdminServer> admin_server;
  std::size_t next_worker = 0;
  std::size_t workers_draining = 0;
  bool stopping = false;
  std::atomic<bool> ended{false};  // main's loop takes no more

  mutable std::mutex mutex;           // pages are made on their server's thread
  Publication published;              // guarded by mutex
  std::string last_reload;            // guarded by mutex
  std::uint64_t reloads = 0;          // guarded by mutex; refused ones among them
  std::uint64_t reloads_refused = 0;  // guarded by mutex
  bool ready = false;                 // guarded by mutex
};

App::App(config::Config config, std::string config_file, int log_descriptor, Signals signals)
    : parts_(std::make_unique<Parts>(std::move(config), std::move(config_file), log_descriptor)) {
  if (signals == Signals::ours) parts_->handle_signals();
  parts_->start();
}

App::~App() {
  // Pages first: they ask the workers.
  parts_->admin_server.reset();
  parts_->monitor_server.reset();
  parts_->status_server.reset();
  parts_->workers.clear();
}

void App::Parts::start() {
  sources = std::make_shared<ShardSources>(config);
  Prepared prepared = prepare(config, *sources, 1, log);
  published = std::move(prepared.publication);
  opened = std::move(prepared.opened);
  const ShardFactory factory = ShardSources::factory(sources);
  for (std::size_t i = 0; i < worker_count(config); ++i) {
    cells.push_back(std::make_unique<WorkerCells>());
    workers.push_back(
        std::make_unique<Worker>(i, WorkerOptions{}, factory, cells.back().get(), log));
  }
  listener = std::make_unique<Listener>(
      loop, config.listen.host, config.listen.port,
      [this](boost::asio::ip::tcp protocol, int socket) {
        workers[next_worker++ % workers.size()]->adopt(protocol, socket);
      },
      [this] { return may_accept(); }, log);
  serve_pages();
  serve_admin();
  for (const auto& worker : workers) worker->run(published);
  listener->start();
  {
    const std::scoped_lock lock(mutex);  // pages and the admin socket are there already
    ready = true;
  }
  const auto& snapshot = *published.snapshot;
  log.info("listening", {{"host", config.listen.host},
                         {"port", int{listener->port()}},
                         {"monitorPort", int{monitor_server->port()}},
                         {"statusPort", int{status_server->port()}},
                         {"workers", static_cast<std::uint64_t>(workers.size())},
                         {"ring", config.ring_location},
                         {"vnodes", std::uint64_t{snapshot.ring->vnode_count()}},
                         {"ringDigest", snapshot.ring->digest()}});
}

bool App::Parts::may_accept() const {
  std::size_t sessions = 0;
  for (const auto& worker : workers) sessions += worker->sessions();
  return sessions < config.limits.sessions_max;
}

void App::Parts::serve_pages() {
  const auto ready_page = [this] {
    const std::scoped_lock lock(mutex);
    return ready ? HttpPage{200, "application/json", "{\"ready\":true}"}
                 : HttpPage{503, "application/json", "{\"ready\":false}"};
  };
  HttpServer::Pages status_pages{
      {"/status", [this] { return HttpPage{200, "application/json", status_page(page_state())}; }},
      {"/ready", ready_page}};
  HttpServer::Pages monitor_pages{
      {"/metrics", [this] { return metrics_page(); }},
      {"/kang/snapshot", [this] { return HttpPage{200, "application/json", kang_snapshot(page_state())}; }},
      {"/kang/schema", [] { return HttpPage{200, "application/json", "{}"}; }},
      {"/ready", ready_page}};
  monitor_server = std::make_unique<HttpServer>(config.monitor.host, config.monitor.port,
                                                std::move(monitor_pages));
  status_server = std::make_unique<HttpServer>(config.status.host, config.status.port,
                                               std::move(status_pages));
}

/// A copy of each worker's state; a worker that does not answer in time is left out.
std::vector<WorkerStatus> App::Parts::ask_workers() {
  std::vector<std::future<WorkerStatus>> answers;
  for (const auto& worker : workers) {
    auto promise = std::make_shared<std::promise<WorkerStatus>>();
    answers.push_back(promise->get_future());
    worker->status([promise](WorkerStatus status) { promise->set_value(std::move(status)); });
  }
  const auto until = std::chrono::steady_clock::now() + kWorkerAnswer;
  std::vector<WorkerStatus> states;
  for (auto& answer : answers)
    if (answer.wait_until(until) == std::future_status::ready) states.push_back(answer.get());
  return states;
}

PageState App::Parts::page_state() {
  PageState state;
  state.started_at = started_at;
  state.workers = ask_workers();
  const std::scoped_lock lock(mutex);
  state.snapshot = published.snapshot;
  state.shards = published.shards;
  state.reloads = reloads;
  state.last_reload = last_reload;
  state.ready = ready;
  return state;
}

HttpPage App::Parts::metrics_page() {
  MetricsState state;
  const PageState page = page_state();
  state.snapshot = page.snapshot.get();
  state.workers = page.workers;
  state.log_lines_dropped = log.dropped();
  if (!config.datacenter.empty()) state.labels["datacenter"] = config.datacenter;
  if (!config.server_uuid.empty()) state.labels["server"] = config.server_uuid;
  {
    const std::scoped_lock lock(mutex);
    state.reloads_refused = reloads_refused;
  }
  return {200, "text/plain; version=0.0.4", metrics_text(cells, state)};
}

/// All or nothing: what is wrong leaves everything as it was.
AdminActions::Reloaded App::Parts::reload(const std::string& ring, const std::string& digest) {
  try {
    config::Config next = config;
    if (!config_file.empty()) {
      config::Parsed parsed = config::load_file(config_file);
      if (!parsed.problems.empty()) throw std::runtime_error(config::to_text(parsed.problems));
      if (config.electric_moray) {  // its flags are not in the file
        parsed.config.listen = config.listen;
        parsed.config.monitor = config.monitor;
        parsed.config.status = config.status;
        parsed.config.ring_location = config.ring_location;
      }
      next = std::move(parsed.config);
    }
    if (!ring.empty()) next.ring_location = ring;
    for (const std::string& name : fixed_differences(config, next))
      log.warn("a reload can't change this setting; restart to change it", {{"setting", name}});
    Prepared prepared = prepare(next, *sources, published.snapshot->sequence + 1, log);
    const Publication& publication = prepared.publication;
    const std::string& found = publication.snapshot->ring->digest();
    if (!digest.empty() && digest != found) throw std::runtime_error("the ring's digest is " + found + ", not " + digest);
    sources->configure(next);
    log.set_level(log_level_named(next.log.level));

    std::vector<std::future<void>> acknowledged;
    for (const auto& worker : workers) {
      auto promise = std::make_shared<std::promise<void>>();
      acknowledged.push_back(promise->get_future());
      worker->publish(publication, [promise] { promise->set_value(); });
    }
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < acknowledged.size(); ++i)
      if (acknowledged[i].wait_until(began + kWorkerAnswer) != std::future_status::ready)
        log.error("a worker has not acknowledged the ring", {{"worker", static_cast<std::uint64_t>(i)}});
    const auto took = std::chrono::steady_clock::now() - began;
    const std::scoped_lock lock(mutex);
    published = std::move(prepared.publication);
    opened = std::move(prepared.opened);
    next.listen = config.listen;
    config.shards = next.shards;
    config.ring_location = next.ring_location;
    config.log = next.log;
    config.limits = next.limits;
    config.pool = next.pool;
    config.timeouts = next.timeouts;
    log.info("reloaded", {{"ringDigest", published.snapshot->ring->digest()},
                          {"microseconds", std::chrono::duration_cast<std::chrono::microseconds>(took).count()}});
    last_reload = "ok";
    ++reloads;
    return {true, last_reload};
  } catch (const std::exception& error) {
    log.error("reload refused; the old ring and configuration go on serving", {{"reason", error.what()}});
    const std::scoped_lock lock(mutex);
    last_reload = std::string("refused: ") + error.what();
    ++reloads;
    ++reloads_refused;
    return {false, error.what()};
  }
}

/// Commands come in on the admin's thread; what changes the router is done on main's loop, and
/// waited for.
void App::Parts::serve_admin() {
  if (config.admin_socket.empty()) return;
  AdminActions actions;
  actions.state = [this] { return page_state(); };
  actions.reload = [this](const std::string& ring, const std::string& digest) {
    auto promise = std::make_shared<std::promise<AdminActions::Reloaded>>();
    auto done = promise->get_future();
    boost::asio::post(loop, [this, promise, ring, digest] { promise->set_value(reload(ring, digest)); });
    const auto limit = std::chrono::steady_clock::now() + kReloadAnswer;
    while (done.wait_for(kReloadLook) != std::future_status::ready) {
      // Main's loop may have ended with the reload still queued: then nobody answers.
      if (ended) return AdminActions::Reloaded{false, "the router is ending"};
      if (std::chrono::steady_clock::now() >= limit)
        return AdminActions::Reloaded{false, "no answer yet; see lastReload in the status"};
    }
    return done.get();
  };
  actions.log_level = [this](const std::optional<std::string>& level) {
    if (level) log.set_level(log_level_named(*level));
    return std::string(to_string(log.level()));
  };
  actions.drain = [this] { boost::asio::post(loop, [this] { begin_stop(); }); };
  try {
    admin_server = std::make_unique<AdminServer>(
        config.admin_socket, [actions](std::string_view line) { return perform_admin_line(actions, line); }, log);
  } catch (const std::exception& error) {
    // Where nobody asked for it, its absence is no reason not to serve.
    if (config.admin_socket != config::Config().admin_socket) throw;
    log.warn("no admin socket", {{"reason", error.what()}});
  }
}

void App::Parts::begin_stop() {
  if (stopping) {  // asked twice: somebody is in a hurry
    loop.stop();
    return;
  }
  stopping = true;
  {
    const std::scoped_lock lock(mutex);
    ready = false;
  }
  listener->stop();
  log.info("draining", {{"milliseconds", config.timeouts.drain_ms}});
  workers_draining = workers.size();
  for (const auto& worker : workers)
    worker->drain(std::chrono::milliseconds(config.timeouts.drain_ms), [this] {
      boost::asio::post(loop, [this] {
        if (--workers_draining == 0) loop.stop();
      });
    });
}

AppPorts App::ports() const {
  return {parts_->listener->port(), parts_->monitor_server->port(), parts_->status_server->port()};
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
    reload("", "");
    wait_for_reload_signal();
  });
}

void App::Parts::handle_signals() {
  stop_signals.add(SIGTERM);
  stop_signals.add(SIGINT);
  reload_signals.add(SIGHUP);
  wait_for_stop_signal();
  wait_for_reload_signal();
}

void App::run() {
  const auto keep_running = boost::asio::make_work_guard(parts_->loop);
  parts_->loop.run();
  parts_->ended = true;
  parts_->log.info("stopped");
}

void App::request_stop() {
  boost::asio::post(parts_->loop, [this] { parts_->begin_stop(); });
}

void App::request_reload() {
  boost::asio::post(parts_->loop, [this] { parts_->reload("", ""); });
}

}  // namespace router
