#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "budget/trim.hpp"
#include "router/admin/admin_server.hpp"
#include "router/app.hpp"
#include "router/control/ring_control.hpp"
#include "router/log/log.hpp"
#include "router/loop/acceptor.hpp"
#include "router/member/fleet_member.hpp"
#include "router/member/image_shelf.hpp"
#include "router/pages/http_server.hpp"
#include "router/pages/pages.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/worker.hpp"

namespace router {

/// What a router is put together of, for the files that make up App. Lives on main's thread.
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
  /// First those that ask others: also where the start has failed half-way.
  ~Parts();
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  void start();
  void serve_pages();
  void serve_admin();
  void count_heat(bool on);
  void reload();
  void begin_stop();
  void drained();
  void listen();
  bool listen_or_later();
  HttpPage ready_page();

  // app_fleet.cpp
  void fetch_first_ring();
  void become_member();
  void serve_clients(bool serves);
  void wait_until(const std::function<bool()>& there);
  void leave();
  void leave_when_done();
  [[nodiscard]] bool nothing_under_way();
  void end_member();
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
  // Until it is told to stop, whether or not anything waits on it.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running{
      boost::asio::make_work_guard(loop)};
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
  std::unique_ptr<ImageShelf> shelf;  // of a fleet's member; its pages ask it
  ImageHistory first_image;           // of a router that had no ring; once it is made
  std::unique_ptr<HttpServer> monitor_server;
  std::unique_ptr<HttpServer> status_server;
  std::unique_ptr<AdminServer> admin_server;
  std::size_t next_worker = 0;
  std::size_t workers_draining = 0;
  std::unique_ptr<FleetMember> member;              // null: of no fleet
  std::atomic<FleetMember*> shown_member{nullptr};  // once it is made: for pages, on their threads
  bool has_listened = false;
  boost::asio::steady_timer fleet_timer{loop};
  std::atomic<bool> stopping{false};
  bool leaves = false;                      // the fleet, when it has drained
  std::vector<std::shared_ptr<Heat>> heat;  // by worker; the admin's thread alone; empty: off
  std::atomic<bool> ready{false};
};

/// A copy of each worker's state; a worker that does not answer in time is left out.
template <typename Answer>
std::vector<Answer> App::Parts::ask_workers(void (Worker::*question)(std::function<void(Answer)>)) {
  // One that does not answer main within this is named, not waited for.
  constexpr std::chrono::seconds kStatusAnswer{1};
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

}  // namespace router
