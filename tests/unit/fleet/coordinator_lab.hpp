#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "fleet/protocol/coordinator.hpp"

namespace coordinator_lab {

using namespace fleet;
using coordination::Outcome;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

inline CoordinatorOptions options() {
  CoordinatorOptions options;
  options.token = "t";
  options.who = "ann";
  options.why = "why";
  return options;
}

/// A coordinator, and a service with two members that answer what they are told to.
struct Lab {
  explicit Lab(Intent intent) : coordinator(options(), std::move(intent), nanoseconds{0}) {
    service.state.seq = 1;
    service.state.ring = {1, "A"};
    service.state.highest = 5;
    roster = {{"m1", Entry{"i1", {}, "", 0, ""}}, {"m2", Entry{"i2", {}, "", 0, ""}}};
    coordinator.session_began(now);
  }

  /// One request, and its answer. False: it asks for nothing.
  bool step(Outcome of_write = Outcome::done) {
    const auto request = coordinator.next_request(now);
    if (!request) return false;
    if (std::holds_alternative<ask::Touch>(*request)) {
      log += "touch ";
      coordinator.told(Outcome::done, now);
    } else if (std::holds_alternative<ask::Look>(*request)) {
      log += "look ";
      coordinator.seen(service, now);
    } else if (std::holds_alternative<ask::ReadRoster>(*request)) {
      log += "roster ";
      coordinator.roster(roster, now);
    } else if (std::holds_alternative<ask::ReadAnswers>(*request)) {
      log += "answers ";
      std::map<std::string, Heard> heard;
      for (const auto& [id, entry] : roster)
        heard[id] = {entry, answer(id, *coordinator.state().change)};
      coordinator.heard(heard);
    } else if (const auto* write = std::get_if<ask::Write>(&*request)) {
      const auto& change = write->state.change;
      log += !change
                 ? (write->state.last && write->state.last->committed ? "commit-closed " : "close ")
             : change->stage == Stage::prepare ? "prepare "
             : change->stage == Stage::block   ? "block "
                                               : "activate ";
      if (of_write == Outcome::done && write->version != service.version)
        of_write = Outcome::version_differs;
      if (of_write == Outcome::done) put(*write);
      coordinator.told(of_write, now);
    }
    return true;
  }
  void put(const ask::Write& write) {
    service.state = write.state;
    ++service.version;
    if (write.blocks) {
      service.blocks = *write.blocks;
      ++service.blocks_version;
    }
  }
  /// Until it has ended, or asks for nothing.
  std::string settle() {
    log.clear();
    for (int i = 0; step() && i < 100; ++i) REQUIRE(i < 99);
    return log;
  }
  /// Up to the write of that name, which it asks for next.
  void settle_before(const std::string& name) {
    for (int i = 0; i < 100; ++i) {
      Lab ahead = *this;
      ahead.log.clear();
      REQUIRE(ahead.step());
      if (ahead.log == name + " ") return;
      step();
    }
    FAIL("it never writes " << name);
  }
  void pass(int ms) { now += milliseconds(ms); }

  nanoseconds now{0};
  Seen service;
  Roster roster;
  std::function<std::optional<Answer>(const std::string&, const Change&)> answer =
      [this](const std::string& id, const Change& change) {
        return Answer{change.token, change.stage, id == "m1" ? "i1" : "i2", "", 0};
      };
  std::string log;
  Coordinator coordinator;
};

}  // namespace coordinator_lab
