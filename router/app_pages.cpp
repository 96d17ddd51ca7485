// What a router shows of itself, and what operators tell it.
#include <stdexcept>

#include <boost/asio/post.hpp>

#include "fleet/sources/image_sources.hpp"
#include "router/admin/commands.hpp"
#include "router/app_parts.hpp"
#include "router/pages/metrics.hpp"
#include "router/pages/ring_page.hpp"

namespace router {

void App::Parts::serve_pages() {
  const config::Config config = *control->config();
  HttpServer::Pages status_pages{
      {"/status",
       [this] {
         return HttpPage{200, "application/json", status_page(page_state())};
       }},
      {"/ready", [this] { return ready_page(); }}};
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
      {"/ready", [this] { return ready_page(); }}};
  HttpServer::SlowPages ring_pages;
  if (config.fleet.enabled()) {
    shelf = std::make_unique<ImageShelf>([this](std::string digest, auto done) {
      control->ring_of(std::move(digest), std::move(done));
    });
    ring_pages.emplace(
        fleet::kRingPages, [this](const std::string& digest, HttpServer::Answer answer) {
          shelf->lend(digest, [digest, answer = std::move(answer)](ImageShelf::Lent lent) {
            answer(ring_page(digest, std::move(lent)));
          });
        });
  }
  monitor_server = std::make_unique<HttpServer>(config.monitor.host, config.monitor.port,
                                                std::move(monitor_pages), log);
  status_server = std::make_unique<HttpServer>(config.status.host, config.status.port,
                                               std::move(status_pages), log, std::move(ring_pages));
}

/// A load balancer asks.
HttpPage App::Parts::ready_page() {
  if (ready) return {200, "application/json", "{\"ready\":true}"};
  const FleetMember* of_fleet = shown_member;
  if (of_fleet == nullptr || stopping) return {503, "application/json", "{\"ready\":false}"};
  return {503, "application/json", not_ready_page(of_fleet->status())};
}

PageState App::Parts::page_state() {
  PageState state;
  state.started_at = started_at;
  state.workers = ask_workers(&Worker::status);
  state.published = control->publisher().current();
  state.control = control->status();
  state.publications = control->publisher().counts();
  state.ready = ready;
  if (const FleetMember* of_fleet = shown_member) {
    state.fleet = of_fleet->status();
    if (state.fleet->images.digest.empty()) state.fleet->images = first_image;
  }
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
  actions.drain = [this](bool leaves_fleet) {
    boost::asio::post(loop, [this, leaves_fleet] { leaves_fleet ? leave() : begin_stop(); });
  };
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

}  // namespace router
