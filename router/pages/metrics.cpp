#include "router/pages/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace router {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::map<std::string, std::string>;
using Cells = std::vector<std::unique_ptr<WorkerCells>>;

MetricFamily family(const char* name, const char* help, MetricType type) {
  MetricFamily made;
  made.name = name;
  made.help = help;
  made.type = type;
  return made;
}

ClientMetric labelled(const Labels& common, const Labels& own) {
  ClientMetric metric;
  for (const Labels* labels : {&own, &common})
    for (const auto& [name, value] : *labels) metric.label.push_back({name, value});
  return metric;
}

ClientMetric counter(const Labels& common, const Labels& own, double value) {
  ClientMetric metric = labelled(common, own);
  metric.counter.value = value;
  return metric;
}

ClientMetric gauge(const Labels& common, const Labels& own, double value) {
  ClientMetric metric = labelled(common, own);
  metric.gauge.value = value;
  return metric;
}

ClientMetric histogram(const Labels& common, const Labels& own, const Cells& cells,
                       std::size_t rpc) {
  ClientMetric metric = labelled(common, own);
  std::uint64_t seen = 0;
  std::uint64_t nanoseconds = 0;
  for (std::size_t i = 0; i <= kLatencyBuckets; ++i) {
    for (const auto& worker : cells) seen += worker->rpc(rpc).latency.buckets[i].get();
    ClientMetric::Bucket bucket;
    bucket.cumulative_count = seen;
    bucket.upper_bound =
        i < kLatencyBuckets ? latency_bounds()[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back(bucket);
  }
  for (const auto& worker : cells) nanoseconds += worker->rpc(rpc).latency.nanoseconds.get();
  metric.histogram.sample_count = seen;
  metric.histogram.sample_sum = static_cast<double>(nanoseconds) * 1e-9;
  return metric;
}

void add_requests(std::vector<MetricFamily>& all, const Cells& cells, const Labels& common) {
  MetricFamily completed =
      family("fast_requests_completed", "count of fast requests completed", MetricType::Counter);
  MetricFamily failed = family("router_requests_failed_total", "requests answered with an error",
                               MetricType::Counter);
  MetricFamily times = family("fast_server_request_time_seconds",
                              "total time to process fast requests", MetricType::Histogram);
  for (std::size_t rpc = 0; rpc < backends::kRpcCount; ++rpc) {
    const Labels own{
        {"rpcMethod", std::string(backends::to_string(static_cast<backends::Rpc>(rpc)))}};
    ClientMetric time = histogram(common, own, cells, rpc);
    if (time.histogram.sample_count == 0) continue;
    double failures = 0;
    for (const auto& worker : cells) failures += static_cast<double>(worker->rpc(rpc).failed.get());
    completed.metric.push_back(
        counter(common, own, static_cast<double>(time.histogram.sample_count)));
    failed.metric.push_back(counter(common, own, failures));
    times.metric.push_back(std::move(time));
  }
  for (MetricFamily* each : {&completed, &failed, &times}) all.push_back(std::move(*each));
}

void add_protocol_errors(std::vector<MetricFamily>& all, const Cells& cells, const Labels& common) {
  std::map<std::string, std::uint64_t> sums;
  for (const auto& worker : cells)
    for (const auto& [reason, count] : worker->protocol_errors()) sums[reason] += count;
  MetricFamily errors = family("router_protocol_errors_total",
                               "connections ended for breaking the protocol", MetricType::Counter);
  for (const auto& [reason, count] : sums)
    errors.metric.push_back(counter(common, {{"reason", reason}}, static_cast<double>(count)));
  all.push_back(std::move(errors));
}

void add_shards(std::vector<MetricFamily>& all, const Cells& cells, const MetricsState& state) {
  MetricFamily requests =
      family("router_shard_requests_total", "requests sent to a shard", MetricType::Counter);
  MetricFamily errors = family("router_shard_errors_total",
                               "requests that a shard failed or refused", MetricType::Counter);
  MetricFamily in_flight =
      family("router_shard_in_flight", "requests whose answer is outstanding", MetricType::Gauge);
  MetricFamily connections =
      family("router_shard_connections", "connections that are up", MetricType::Gauge);
  MetricFamily healthy =
      family("router_shard_healthy", "workers that would send it a request now", MetricType::Gauge);
  MetricFamily out_of_step =
      family("router_shard_out_of_step_total",
             "connections closed because answers on them were not those that were due: a fault",
             MetricType::Counter);
  for (std::size_t i = 0; i < state.page->snapshot().pnodes.size(); ++i) {
    const Labels own{{"pnode", state.page->snapshot().pnodes[i].name}};
    double sent = 0, failed = 0, flying = 0, up = 0, well = 0, faults = 0;
    for (const auto& worker : cells) {
      if (i >= WorkerCells::kShardsCounted) break;
      sent += static_cast<double>(worker->shard(i).requests.get());
      failed += static_cast<double>(worker->shard(i).errors.get());
    }
    for (const WorkerStatus& worker : state.page->workers) {
      if (i >= worker.shards.size()) continue;
      flying += static_cast<double>(worker.shards[i].second.in_flight);
      up += static_cast<double>(worker.shards[i].second.connections);
      well += worker.shards[i].second.healthy ? 1 : 0;
      faults += static_cast<double>(worker.shards[i].second.out_of_step);
    }
    requests.metric.push_back(counter(state.labels, own, sent));
    errors.metric.push_back(counter(state.labels, own, failed));
    in_flight.metric.push_back(gauge(state.labels, own, flying));
    connections.metric.push_back(gauge(state.labels, own, up));
    healthy.metric.push_back(gauge(state.labels, own, well));
    out_of_step.metric.push_back(counter(state.labels, own, faults));
  }
  for (MetricFamily* each : {&requests, &errors, &in_flight, &connections, &healthy, &out_of_step})
    all.push_back(std::move(*each));
}

void add_process(std::vector<MetricFamily>& all, const MetricsState& state) {
  double sessions = 0;
  for (const WorkerStatus& worker : state.page->workers)
    sessions += static_cast<double>(worker.sessions.size());
  const auto single = [&](const char* name, const char* help, MetricType type, const Labels& own,
                          double value) {
    MetricFamily made = family(name, help, type);
    made.metric.push_back(type == MetricType::Counter ? counter(state.labels, own, value)
                                                      : gauge(state.labels, own, value));
    all.push_back(std::move(made));
  };
  single("router_sessions", "clients connected", MetricType::Gauge, {}, sessions);
  single("router_ring_generation", "generation of the ring in force; 0: a plain directory",
         MetricType::Gauge, {}, static_cast<double>(state.page->snapshot().generation));
  single("router_ring_info", "the ring in force", MetricType::Gauge,
         {{"digest", state.page->snapshot().ring->digest()},
          {"vnodes", std::to_string(state.page->snapshot().ring->vnode_count())}},
         1);
  single("router_reloads_refused_total", "reloads refused; the old ring went on serving",
         MetricType::Counter, {}, static_cast<double>(state.page->control.reloads_refused));
  single("router_log_suppressed_total",
         "warnings and errors that were not written: there were too many of their kind",
         MetricType::Counter, {}, static_cast<double>(state.log_lines_suppressed));
  single("router_log_dropped_total", "log lines dropped because the queue was full",
         MetricType::Counter, {}, static_cast<double>(state.log_lines_dropped));
}

/// What is held for clients, what waits, and what was refused or dropped for want of room or time.
void add_memory(std::vector<MetricFamily>& all, const Cells& cells, const MetricsState& state) {
  double held = 0, refused = 0, dropped = 0, waiting = 0, late = 0;
  for (const WorkerStatus& worker : state.page->workers) {
    held += static_cast<double>(worker.memory_held);
    waiting += static_cast<double>(worker.waiting_turns);
  }
  for (const auto& worker : cells) {
    refused += static_cast<double>(worker->refused_over_budget());
    dropped += static_cast<double>(worker->answers_dropped());
    late += static_cast<double>(worker->turns_late());
  }
  MetricFamily families[] = {
      family("router_memory_held_bytes", "held for clients: requests, answers, what arrives",
             MetricType::Gauge),
      family("router_memory_max_bytes", "limits.memoryBytes as it is in force", MetricType::Gauge),
      family("router_over_budget_total", "requests refused: too much was held for all, or a shard",
             MetricType::Counter),
      family("router_answers_dropped_total",
             "answers that gave way to an error, since their clients did not take those before",
             MetricType::Counter),
      family(
          "router_waiting_turns",
          "requests that wait for their turn, or for a place, at a shard that has too much to do",
          MetricType::Gauge),
      family("router_turns_late_total",
             "requests refused: they had waited for their turn longer than timeouts.turnMs",
             MetricType::Counter)};
  families[0].metric.push_back(gauge(state.labels, {}, held));
  families[1].metric.push_back(
      gauge(state.labels, {}, static_cast<double>(state.page->published->bounds.memory_bytes)));
  families[2].metric.push_back(counter(state.labels, {}, refused));
  families[3].metric.push_back(counter(state.labels, {}, dropped));
  families[4].metric.push_back(gauge(state.labels, {}, waiting));
  families[5].metric.push_back(counter(state.labels, {}, late));
  for (MetricFamily& each : families) all.push_back(std::move(each));
}

/// Writes at the gate, and publications. electric-moray had neither.
void add_gate(std::vector<MetricFamily>& all, const Cells& cells, const MetricsState& state) {
  const auto sum = [&](auto cell) {
    double total = 0;
    for (const auto& worker : cells) total += static_cast<double>(cell(*worker));
    return total;
  };
  MetricFamily outcomes = family("router_held_writes_total",
                                 "what became of writes to blocked vnodes", MetricType::Counter);
  const auto outcome = [&](const char* name, Cell GateCells::*cell) {
    const double total =
        sum([&](const WorkerCells& worker) { return (worker.gate().*cell).get(); });
    outcomes.metric.push_back(counter(state.labels, {{"outcome", name}}, total));
  };
  outcome("held", &GateCells::held);
  outcome("released", &GateCells::released);
  outcome("expired", &GateCells::expired);
  outcome("abandoned", &GateCells::abandoned);
  outcome("refused", &GateCells::refused_later);
  outcome("overflowed", &GateCells::overflowed);

  const Gate& gate = *state.page->snapshot().gate;
  MetricFamily vnodes =
      family("router_blocked_vnodes", "vnodes that are blocked; in memory: none after a restart",
             MetricType::Gauge);
  vnodes.metric.push_back(
      gauge(state.labels, {{"mode", "hold"}}, static_cast<double>(gate.held.size())));
  vnodes.metric.push_back(
      gauge(state.labels, {{"mode", "refuse"}}, static_cast<double>(gate.refused.size())));
  for (MetricFamily* each : {&outcomes, &vnodes}) all.push_back(std::move(*each));

  double held = 0, bytes = 0, leases = 0;
  for (const WorkerStatus& worker : state.page->workers) {
    held += static_cast<double>(worker.held_writes);
    bytes += static_cast<double>(worker.held_bytes);
    leases += static_cast<double>(worker.write_leases);
  }
  const auto single = [&](const char* name, const char* help, MetricType type, double value) {
    MetricFamily made = family(name, help, type);
    made.metric.push_back(type == MetricType::Counter ? counter(state.labels, {}, value)
                                                      : gauge(state.labels, {}, value));
    all.push_back(std::move(made));
  };
  const PublicationCounts& counts = state.page->publications;
  const auto seconds = [](std::chrono::nanoseconds time) {
    return static_cast<double>(time.count()) * 1e-9;
  };
  single("router_held_writes", "writes that wait for blocked vnodes", MetricType::Gauge, held);
  single("router_held_bytes", "their payloads", MetricType::Gauge, bytes);
  single("router_writes_in_flight", "writes that their shards have not answered", MetricType::Gauge,
         leases);
  single("router_writes_refused_total", "writes refused as read-only on arrival",
         MetricType::Counter,
         sum([](const WorkerCells& worker) { return worker.writes_refused(); }));
  single("router_writes_fenced_total",
         "writes that a plan of resharding refused at their shard: sent by an older ring",
         MetricType::Counter,
         sum([](const WorkerCells& worker) { return worker.writes_fenced(); }));
  single("router_writes_lost_total",
         "writes whose connection was lost before the answer: their outcome is unknown",
         MetricType::Counter, sum([](const WorkerCells& worker) { return worker.writes_lost(); }));
  single("router_leases_expired_total", "coordinators' leases that ran out", MetricType::Counter,
         static_cast<double>(state.page->control.leases_expired));
  single("router_publications_total", "rings and gates that were handed to the workers",
         MetricType::Counter, static_cast<double>(counts.publications));
  single("router_publication_seconds", "how long the last publication took", MetricType::Gauge,
         seconds(counts.last.took));
  single("router_publication_pause_seconds",
         "how long the last one kept a worker from its requests", MetricType::Gauge,
         seconds(counts.last.pause));
  single("router_publication_pause_max_seconds", "the longest of all", MetricType::Gauge,
         seconds(counts.longest_pause));
}

/// Of a member of a fleet.
void add_fleet(std::vector<MetricFamily>& all, const MetricsState& state) {
  if (!state.page->fleet) return;
  const FleetStatus& fleet = *state.page->fleet;
  const auto single = [&](const char* name, const char* help, MetricType type, double value) {
    MetricFamily made = family(name, help, type);
    made.metric.push_back(type == MetricType::Counter ? counter(state.labels, {}, value)
                                                      : gauge(state.labels, {}, value));
    all.push_back(std::move(made));
  };
  const auto behind = fleet.other_ring_since ? backends::lease_clock() - *fleet.other_ring_since
                                             : std::chrono::nanoseconds(0);
  single("router_fleet_in_touch", "1: the fleet's service has answered within a session's time",
         MetricType::Gauge, fleet.in_touch ? 1 : 0);
  single("router_fleet_serves", "1: the fleet lets this router serve clients", MetricType::Gauge,
         fleet.serves ? 1 : 0);
  single("router_fleet_generation", "of the ring that the fleet has in force; 0: not known",
         MetricType::Gauge, static_cast<double>(fleet.fleet_generation));
  single("router_fleet_behind_seconds",
         "for how long the fleet's ring has been another one than this router's", MetricType::Gauge,
         std::chrono::duration<double>(behind).count());
  single("router_fleet_doubt_vnodes",
         "vnodes that are not served, since the fleet may have given them away", MetricType::Gauge,
         static_cast<double>(fleet.doubt_vnodes));
  single("router_fleet_foreign_members",
         "routers of the roster that are none of ours, and run: no vnode can change hands",
         MetricType::Gauge, static_cast<double>(fleet.foreign));
  single("router_fleet_change_open", "1: a change of the fleet's is under way", MetricType::Gauge,
         fleet.change.empty() ? 0 : 1);
  single("router_fleet_sessions_expired_total", "sessions with the service that have expired",
         MetricType::Counter, static_cast<double>(fleet.sessions_expired));
  MetricFamily images = family("router_fleet_images_total", "rings that have come, by their source",
                               MetricType::Counter);
  for (const auto& [source, count] :
       {std::pair{"zookeeper", fleet.images.chunks}, std::pair{"edit", fleet.images.edits},
        std::pair{"member", fleet.images.members}, std::pair{"url", fleet.images.url}})
    images.metric.push_back(
        counter(state.labels, {{"source", source}}, static_cast<double>(count)));
  all.push_back(std::move(images));
  single("router_fleet_images_refused_total", "images whose bytes were not the ring's",
         MetricType::Counter, static_cast<double>(fleet.images.refused));
}

/// The serializer writes sixteen digits, which are 0.0005999999999999999 for the number nearest to
/// 0.0006; queries name bounds by their documented texts.
std::string with_short_bounds(const std::string& text) {
  constexpr std::string_view kBound = "le=\"";
  std::string made;
  made.reserve(text.size());
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(kBound, at)) != std::string::npos;) {
    const std::size_t begin = found + kBound.size(), end = text.find('"', begin);
    made.append(text, at, begin - at);
    double bound = 0;
    std::array<char, 32> shortest;
    const auto read = std::from_chars(text.data() + begin, text.data() + end, bound);
    // Nobody prints infinity shorter; and sixteen digits are the number's, if not all of it.
    const auto near =
        std::find_if(latency_bounds().begin(), latency_bounds().end(),
                     [&](double each) { return std::abs(each - bound) < each * 1e-12; });
    if (read.ec == std::errc() && near != latency_bounds().end())
      made.append(shortest.data(), std::to_chars(shortest.data(), shortest.data() + shortest.size(),
                                                 *near, std::chars_format::fixed)
                                       .ptr);
    else
      made.append(text, begin, end - begin);
    at = end;
  }
  return made.append(text, at);
}

}  // namespace

std::string metrics_text(const std::vector<std::unique_ptr<WorkerCells>>& cells,
                         const MetricsState& state) {
  std::vector<MetricFamily> all;
  add_requests(all, cells, state.labels);
  add_protocol_errors(all, cells, state.labels);
  add_shards(all, cells, state);
  add_gate(all, cells, state);
  add_memory(all, cells, state);
  add_fleet(all, state);
  add_process(all, state);
  return with_short_bounds(prometheus::TextSerializer().Serialize(all));
}

}  // namespace router
