// A router that is a member of a fleet.
#include <algorithm>
#include <filesystem>
#include <future>
#include <stdexcept>
#include <utility>

#include <boost/asio/post.hpp>

#include "ring/generation_store.hpp"
#include "router/app_parts.hpp"
#include "router/control/pending.hpp"
#include "router/control/prepare.hpp"
#include "router/member/first_ring.hpp"

namespace router {
namespace {

// For workers to say what is under way.
constexpr std::chrono::seconds kWritesSaid{1};

}  // namespace

/// Signals are heard meanwhile.
void App::Parts::wait_until(const std::function<bool()>& there) {
  while (!there() && !stopping) loop.run_one();
}

/// A router without a ring, new or made anew, takes the fleet's. Until it has that, its pages say
/// what it waits for.
void App::Parts::fetch_first_ring() {
  const config::Config config = *control->config();
  if (ring::GenerationStore::is_store(config.ring_location)) {
    const auto left = PendingRing::parse(ring::GenerationStore(config.ring_location).pending());
    if (left && left->of_plan())
      throw ConfigurationError("plan " + left->plan + " of resharding has a ring prepared in " +
                               config.ring_location +
                               ": it has to end before this router is a fleet's member");
    return;
  }
  if (std::filesystem::exists(config.ring_location) &&
      !std::filesystem::is_empty(config.ring_location))
    throw ConfigurationError("a fleet's member keeps its ring in a store of generations, and " +
                             config.ring_location +
                             " is none; make one with `moray-router ring store -l STORE " +
                             config.ring_location + "` and name STORE as ring.location");
  FirstRing first(loop, fleet_settings(config), config.ring_location, log);
  const auto waits = [&first] {
    FleetStatus status;
    status.problem = first.waits_for();
    return HttpPage{503, "application/json", not_ready_page(status)};
  };
  const HttpServer::Pages pages{{"/ready", waits}, {"/status", waits}};
  const HttpServer status(config.status.host, config.status.port, pages, log);
  const HttpServer monitor(config.monitor.host, config.monitor.port, {{"/ready", waits}}, log);
  first.start();
  wait_until([&] { return first.done(); });
  if (!first.failure().empty()) throw std::runtime_error(first.failure());
  first_image = first.images();
}

/// Returns when clients are served, or the router is to stop.
void App::Parts::become_member() {
  const config::Config config = *control->config();
  const bool any = config.listen.host == "0.0.0.0" || config.listen.host == "::";
  const std::string host = any ? host_name() : config.listen.host;
  member = std::make_unique<FleetMember>(
      config, *control, host + ":" + std::to_string(config.listen.port), status_server->port(),
      FleetMember::Told{[this](bool serves) {
                          boost::asio::post(loop, [this, serves] { serve_clients(serves); });
                        },
                        [this] {
                          boost::asio::post(loop, [this] {
                            log.info("the fleet has this router no more");
                            loop.stop();
                          });
                        }},
      log);
  shown_member = member.get();
  member->start();
  wait_until([this] { return ready.load(); });
}

void App::Parts::leave() {
  if (std::exchange(leaves, true)) return;
  if (!stopping) return begin_stop();
  if (workers_draining == 0) drained();
}

/// Nobody waits for what this router has sent once the roster has forgotten it.
void App::Parts::leave_when_done() {
  if (nothing_under_way()) return member->leave();
  fleet_timer.expires_after(std::chrono::seconds(1));
  fleet_timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) leave_when_done();
  });
}

/// All that was sent to shards has been answered, and what was lost lately is over by now.
bool App::Parts::nothing_under_way() {
  const auto states = ask_workers(&Worker::status);
  const bool idle =
      states.size() == workers.size() &&
      std::all_of(states.begin(), states.end(), [](const WorkerStatus& worker) {
        return worker.write_leases == 0 && worker.held_writes == 0 && worker.waiting_turns == 0;
      });
  if (!idle) return false;
  const auto published = control->publisher().current();
  const ring::Ring& ring = *published->snapshot->ring;
  const auto scope = std::make_shared<const LeaseScope>(
      LeaseScope::of(ring, ring::VnodeSet::of_ranges({{0, ring.vnode_count() - 1}})));
  std::vector<std::future<LeasesEnded>> answers;
  for (const auto& worker : workers) {
    auto promise = std::make_shared<std::promise<LeasesEnded>>();
    answers.push_back(promise->get_future());
    worker->await_leases(scope,
                         [promise](LeasesEnded ended) { promise->set_value(std::move(ended)); });
  }
  const auto now = std::chrono::steady_clock::now();
  return std::all_of(answers.begin(), answers.end(), [&](auto& answer) {
    if (answer.wait_until(now + kWritesSaid) != std::future_status::ready) return false;
    const LeasesEnded ended = answer.get();
    return std::none_of(
        ended.indeterminate.begin(), ended.indeterminate.end(),
        [&](const IndeterminateWrite& lost) { return now - lost.lost < kWriteGrace; });
  });
}

/// Whether the next process must wait for what this one has sent to shards.
void App::Parts::end_member() {
  const bool clean = nothing_under_way();
  control->stop();
  member->stop();
  if (clean) member->ends_cleanly();
}

}  // namespace router
