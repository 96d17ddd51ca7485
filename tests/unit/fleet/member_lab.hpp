#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "fleet/protocol/member.hpp"
#include "fleet/protocol/overloaded.hpp"

namespace fleet_lab {

using namespace fleet;
using coordination::Outcome;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Writes = Door::Writes;

inline MemberOptions options() {
  MemberOptions options;
  options.id = "m";
  options.incarnation = "i1";
  return options;
}

inline OnDisk a_member(const std::string& incarnation = "i0") {
  OnDisk disk;
  disk.ring = {1, "A"};
  disk.membership = Membership{"m", incarnation, "", disk.ring, 0};
  return disk;
}

/// A member, a disk that always works, and a service that one can look into and write to.
struct Lab {
  explicit Lab(OnDisk disk = {}, MemberOptions chosen = options())
      : member(std::move(chosen), std::move(disk), nanoseconds{0}) {
    service.state.seq = 1;
    service.state.ring = {1, "A"};
    member.session_began(now);
  }

  Outcome answer(const Request& request) {
    return std::visit(
        Overloaded{[&](const ask::Touch& touch) {
                     log += touch.entry ? "touch-entry " : touch.shows ? "show " : "touch ";
                     if (touch.entry && !service.entry) return Outcome::no_node;
                     if (touch.entry && *touch.entry != service.entry_version)
                       return Outcome::version_differs;
                     if (touch.shows) service.lives = "i1";
                     return Outcome::done;
                   },
                   [&](const ask::Look&) {
                     log += "look ";
                     return Outcome::done;
                   },
                   [&](const ask::WriteEntry& write) {
                     log += "write-entry ";
                     if (!service.entry || service.entry_version != write.version)
                       return Outcome::version_differs;
                     service.entry = write.entry;
                     ++service.entry_version;
                     return Outcome::done;
                   },
                   [&](const ask::Join& join) {
                     log += "join ";
                     if (join.state != service.version || service.state.change)
                       return Outcome::version_differs;
                     service.entry = join.entry;
                     service.entry_version = join.version ? *join.version + 1 : 0;
                     return Outcome::done;
                   },
                   [&](const ask::Leave&) {
                     log += "leave ";
                     service.entry.reset();
                     return Outcome::done;
                   },
                   [&](const ask::Acknowledge& acknowledge) {
                     log += "answer ";
                     answers.push_back(acknowledge.answer);
                     return Outcome::done;
                   }},
        request);
  }

  void work(const Work& asked) {
    log += std::visit(Overloaded{[](const work::KeepMembership&) { return "keep-membership "; },
                                 [](const work::DropMembership&) { return "drop-membership "; },
                                 [](const work::KeepRecord&) { return "keep-record "; },
                                 [](const work::DropRecord&) { return "drop-record "; },
                                 [](const work::KeepBlocks&) { return "keep-blocks "; },
                                 [](const work::Stage&) { return "stage "; },
                                 [](const work::Activate&) { return "activate "; },
                                 [](const work::Take&) { return "take "; }},
                      asked);
    member.did(now);
  }

  /// Until it asks for nothing, at this instant. It must come to an end.
  std::string settle() {
    log.clear();
    for (int i = 0; i < 100; ++i) {
      if (const auto asked = member.next_work(now)) {
        work(*asked);
        continue;
      }
      const auto request = member.next_request(now);
      if (!request) return log;
      const Outcome outcome = answer(*request);
      if (std::holds_alternative<ask::Look>(*request))
        member.seen(service, now);
      else
        member.told(outcome, 0, now);
    }
    FAIL("it asks on and on: " << log);
    return log;
  }
  /// As somebody else writes.
  std::string change(std::optional<Change> change, RingName ring) {
    ++service.state.seq;
    ++service.version;
    service.state.ring = std::move(ring);
    service.state.change = std::move(change);
    member.changed(now);
    return settle();
  }
  void pass(int ms) { now += milliseconds(ms); }

  nanoseconds now{0};
  Seen service;
  std::vector<Answer> answers;
  std::string log;
  Member member;
};

inline Change publish(Stage stage) {
  Change change;
  change.token = "t";
  change.stage = stage;
  change.base = {1, "A"};
  change.next = {2, "B"};
  change.lease = milliseconds(4'000);
  change.prepare_limit = milliseconds(60'000);
  return change;
}

inline Lab joined() {
  Lab lab(a_member());
  lab.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
  lab.settle();
  REQUIRE(lab.member.listens(lab.now));
  return lab;
}

}  // namespace fleet_lab
