#include "reshard/plan_metrics.hpp"

#include <doctest/doctest.h>

using namespace reshard;

namespace {

std::string line(const std::string& time, const std::string& event) {
  return R"({"time":")" + time + R"(","by":"us","event":")" + event + R"("})";
}

}  // namespace

TEST_CASE(
    "reshard: hours that began while the site's lock was held are those in which a dump may be "
    "missing") {
  CHECK(hours_locked({}).empty());
  const std::vector<std::string> history{line("2026-11-21T22:10:00.000Z", "hook pre_lock"),
                                         "{ torn",
                                         line("2026-11-22T00:00:00.500Z", "hook post_activate"),
                                         line("2026-11-22T01:10:00.000Z", "hook pre_cleanup"),
                                         line("2026-11-22T01:50:00.000Z", "hook post_finalize")};
  CHECK(hours_locked(hook_times(history)) ==
        std::vector<std::string>{"2026-11-21T23", "2026-11-22T00", "2026-11-22T01"});
  CHECK(hours_locked(hook_times({history[0]})).empty());  // not given back yet
}

TEST_CASE("reshard: a plan's metrics are Prometheus's text form, with the plan as a label") {
  Plan plan;
  plan.number = 7;
  plan.from.pnode = "tcp://1.a";
  plan.to.pnode = "tcp://2.a";
  plan.options.max_block_ms = 1500;
  State state;
  state.stopped = "why";
  plan.hooks["pre_lock"] = "true";
  CHECK(metrics_text(plan, state, {}, {}).find("reshard_lock_held{plan=\"7\"} 0") !=
        std::string::npos);
  state.lock = kLockHeld;
  state.lock_since = "2026-11-21T22:10:00.000Z";
  PlanFigures figures;
  figures.begin("copy manta", 100);
  figures.add(40);
  figures.add(2);
  figures.held(std::chrono::milliseconds(20));
  figures.held(std::chrono::milliseconds(10));
  const std::string text = metrics_text(
      plan, state, figures, hook_times({line("2026-11-21T22:10:00.000Z", "hook pre_lock")}));
  for (const char* expected :
       {"reshard_plan_info{plan=\"7\",from=\"tcp://1.a\",to=\"tcp://2.a\"} 1",
        "reshard_rows_total{plan=\"7\",work=\"copy\"} 42",
        "reshard_block_budget_seconds{plan=\"7\"} 1.5", "reshard_block_seconds{plan=\"7\"} 0.01",
        "reshard_block_longest_seconds{plan=\"7\"} 0.02", "reshard_stopped{plan=\"7\"} 1",
        "reshard_lock_held{plan=\"7\"} 1", "reshard_lock_alarm_seconds{plan=\"7\"} 3600",
        "reshard_lock_since_timestamp_seconds{plan=\"7\"} 1795299000",
        "reshard_hook_timestamp_seconds{plan=\"7\",hook=\"pre_lock\"} 1795299000"})
    CHECK_MESSAGE(text.find(expected) != std::string::npos, expected << " is not in\n" << text);
  const std::string shown = figures.to_json_text(figures.began + std::chrono::seconds(2));
  CHECK(shown.find(R"("rows":42,"rowsPerSecond":21,"rowsAbout":100,"secondsLeft":2)") !=
        std::string::npos);
}
