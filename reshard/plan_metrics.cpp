#include "reshard/plan_metrics.hpp"

#include <ctime>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <nlohmann/json.hpp>

namespace reshard {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::map<std::string, std::string>;

constexpr std::time_t kHour = 3600;

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// Since 1970, of an ISO time; nullopt: it is none.
std::optional<std::time_t> seconds_of(const std::string& time) {
  std::tm parts{};
  if (strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return std::nullopt;
  return timegm(&parts);
}

/// Those that begin within.
std::vector<std::string> hours_between(std::time_t from, std::time_t to) {
  std::vector<std::string> hours;
  for (std::time_t hour = (from + kHour - 1) / kHour * kHour; hour <= to; hour += kHour) {
    char text[32];
    std::tm parts{};
    gmtime_r(&hour, &parts);
    std::strftime(text, sizeof text, "%Y-%m-%dT%H", &parts);
    hours.emplace_back(text);
  }
  return hours;
}

/// The families of one plan.
class Families {
 public:
  explicit Families(const Plan& plan) : plan_(plan.name()) {}

  void add(const char* name, const char* help, MetricType type, double value,
           const Labels& labels = {}) {
    if (all_.empty() || all_.back().name != name) {
      all_.emplace_back();
      all_.back().name = name;
      all_.back().help = help;
      all_.back().type = type;
    }
    ClientMetric metric;
    metric.label.push_back({"plan", plan_});
    for (const auto& [label, text] : labels) metric.label.push_back({label, text});
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    all_.back().metric.push_back(metric);
  }
  void gauge(const char* name, const char* help, double value, const Labels& labels = {}) {
    add(name, help, MetricType::Gauge, value, labels);
  }
  void counter(const char* name, const char* help, double value, const Labels& labels = {}) {
    add(name, help, MetricType::Counter, value, labels);
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(all_); }

 private:
  std::string plan_;
  std::vector<MetricFamily> all_;
};

}  // namespace

void PlanFigures::begin(const std::string& name, std::uint64_t all) {
  work = name;
  done = 0;
  total = all;
  began = Clock::now();
}

void PlanFigures::add(std::uint64_t amount) {
  done += amount;
  rows[work.substr(0, work.find(' '))] += amount;
}

void PlanFigures::end() { work.clear(); }

void PlanFigures::held(std::chrono::nanoseconds time) {
  block = time;
  longest_block = std::max(longest_block.value_or(time), time);
}

void PlanFigures::behind(std::uint64_t routers, Clock::time_point decided) {
  routers_behind = routers;
  behind_since = routers == 0 ? std::nullopt : std::optional(decided);
}

std::string PlanFigures::to_json_text(Clock::time_point now) const {
  nlohmann::ordered_json json{{"logEntries", log_entries},
                              {"logEntriesWaiting", log_waiting},
                              {"logBytes", log_bytes},
                              {"alarms", alarms}};
  if (!current_to.empty()) json["currentTo"] = current_to;
  if (block) json["blockMilliseconds"] = seconds(*block) * 1e3;
  if (routers_behind > 0) json["routersBehind"] = routers_behind;
  if (work.empty()) return json.dump();
  const double passed = seconds(now - began),
               rate = passed > 0 ? static_cast<double>(done) / passed : 0;
  json["work"] = work;
  json["rows"] = done;
  json["rowsPerSecond"] = static_cast<std::uint64_t>(rate);
  if (total > 0) json["rowsAbout"] = total;
  if (total > done && rate > 0)
    json["secondsLeft"] = static_cast<std::uint64_t>(static_cast<double>(total - done) / rate);
  return json.dump();
}

HookTimes hook_times(const std::vector<std::string>& history) {
  HookTimes times;
  for (const std::string& line : history) {
    const auto entry = nlohmann::json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;
    const std::string event = entry.value("event", "");
    const auto time = seconds_of(entry.value("time", ""));
    if (event.starts_with("hook ") && time) times[event.substr(5)] = *time;
  }
  return times;
}

std::string metrics_text(const Plan& plan, const State& state, const PlanFigures& figures,
                         const HookTimes& hooks) {
  Families all(plan);
  const Act act =
      state.progress.act == Act::take_over ? state.progress.after_take_over : state.progress.act;
  all.gauge("reshard_plan_info", "a plan of this coordinator", 1,
            {{"from", plan.from.pnode}, {"to", plan.to.pnode}});
  all.gauge("reshard_act", "what the plan is at", 1, {{"act", std::string(to_string(act))}});
  all.gauge("reshard_vnodes", "vnodes that move", static_cast<double>(plan.vnodes.size()));
  all.gauge("reshard_attempt", "attempts at the cutover", state.progress.attempt);
  all.counter("reshard_alarms_total", "what a person should have seen",
              static_cast<double>(figures.alarms));
  for (const auto& [work, rows] : figures.rows)
    all.counter("reshard_rows_total", "rows, by what was done with them", static_cast<double>(rows),
                {{"work", work}});
  all.gauge("reshard_log_entries", "writes that the last cycle of the pump carried over",
            static_cast<double>(figures.log_entries));
  all.gauge("reshard_log_waiting_entries", "writes that are still to be carried over",
            static_cast<double>(figures.log_waiting));
  all.gauge("reshard_log_bytes", "of a server's disk, that these writes' entries take",
            static_cast<double>(figures.log_bytes));
  all.gauge("reshard_log_bytes_limit", "beyond which a plan in its soak gives up the way back",
            static_cast<double>(plan.options.log_bytes));
  all.gauge("reshard_block_budget_seconds", "how long writes may be held",
            static_cast<double>(plan.options.max_block_ms) / 1e3);
  if (figures.block)
    all.gauge("reshard_block_seconds", "how long writes were held last", seconds(*figures.block));
  if (figures.longest_block)
    all.gauge("reshard_block_longest_seconds", "how long writes were held at most",
              seconds(*figures.longest_block));
  all.gauge("reshard_routers_behind", "routers that have not taken the new ring",
            static_cast<double>(figures.routers_behind));
  all.gauge("reshard_routers_behind_seconds", "for how long they have not",
            figures.behind_since ? seconds(PlanFigures::Clock::now() - *figures.behind_since) : 0);
  all.gauge("reshard_stopped", "1: a person is needed", state.stopped.empty() ? 0 : 1);
  all.gauge("reshard_reversible", "0: there is no way back", state.irreversible.empty() ? 1 : 0);
  if (plan.takes_lock())
    all.gauge("reshard_lock_held", "1: the plan holds the site's lock, or may",
              state.lock.empty() ? 0 : 1);
  if (!state.lock.empty())
    all.gauge("reshard_lock_since_timestamp_seconds", "since when it does",
              static_cast<double>(seconds_of(state.lock_since).value_or(0)));
  if (plan.takes_lock())
    all.gauge("reshard_lock_alarm_seconds", "a lock that is held for longer is told",
              static_cast<double>(plan.dump_lock.value_or(DumpLockOptions{}).alarm_seconds));
  for (const auto& [hook, time] : hooks)
    all.gauge("reshard_hook_timestamp_seconds", "when a hook was done", static_cast<double>(time),
              {{"hook", hook}});
  all.gauge("reshard_updated_timestamp_seconds", "when this was written",
            static_cast<double>(std::time(nullptr)));
  return all.text();
}

std::vector<std::string> hours_locked(const HookTimes& hooks) {
  const auto from = hooks.find("pre_lock"), to = hooks.find(kEndHook);
  if (from == hooks.end() || to == hooks.end()) return {};
  return hours_between(from->second, to->second);
}

std::vector<std::string> hours_since(const std::string& time) {
  const auto from = seconds_of(time);
  return from ? hours_between(*from, std::time(nullptr)) : std::vector<std::string>();
}

}  // namespace reshard
