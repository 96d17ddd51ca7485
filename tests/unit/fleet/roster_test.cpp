// Whom a coordinator can't do with: programs of another version, and routers that are none of ours;
// and a service that is another one by the coordinator's next session.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fleet/coordinator_lab.hpp"

using namespace coordinator_lab;

namespace {

const PlanName kPlan{7, "p", "source", "target"};

intent::Publish publication(bool drains) { return {"B", drains, "A"}; }

Entry foreign(bool stopped, const std::string& digest = "") {
  Entry entry;
  entry.foreign = Foreign{"http://h/", stopped, digest};
  return entry;
}

}  // namespace

TEST_CASE("versions: a cutover is refused by name where a program does not speak it") {
  Lab lab(intent::Cutover{kPlan, "B", "A"});
  lab.roster["m2"].speaks = {1, 1};
  lab.settle();
  CHECK_FALSE(lab.coordinator.reached());
  CHECK(lab.coordinator.refusal().find("m2: its program speaks version 1") == 0);
  lab.coordinator.aim(Aim::abandoned);
  lab.settle();
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::abandoned);
}

TEST_CASE("versions: what all speak is done") {
  Lab lab(publication(true));
  lab.roster["m2"].speaks = {1, 1};
  lab.settle();
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::committed);
  Lab later(publication(true));
  later.roster["m1"].speaks = {2, 3};  // it has forgotten the first
  later.settle();
  CHECK(later.coordinator.ending()->kind == Ending::Kind::abandoned);
  CHECK(later.coordinator.ending()->why.find("m1: ") == 0);
}

TEST_CASE("foreign: nothing changes hands before its commit while one runs") {
  const Intent intents[] = {publication(true), intent::Block{"V"}};
  for (const Intent& intent : intents)
    for (const bool stopped : {false, true}) {
      Lab lab(intent);
      lab.roster["old"] = foreign(stopped, stopped ? "" : "B");
      lab.settle();
      REQUIRE(lab.coordinator.ending());
      CHECK((lab.coordinator.ending()->kind == Ending::Kind::committed) == stopped);
      CHECK((lab.service.state.ring.digest == "B") ==
            (stopped && std::holds_alternative<intent::Publish>(intent)));
      if (!stopped) CHECK(lab.coordinator.ending()->why.find("old: ") == 0);
    }
}

TEST_CASE("foreign: data is given once it has the next ring") {
  for (const std::string digest : {"", "A", "B"}) {
    Lab lab(publication(false));
    lab.roster["old"] = foreign(false, digest);
    lab.settle();
    REQUIRE(lab.coordinator.ending());
    CHECK((lab.coordinator.ending()->kind == Ending::Kind::committed) == (digest == "B"));
    if (digest != "B")
      CHECK(lab.coordinator.ending()->why.find("serve ring B first") != std::string::npos);
  }
}

TEST_CASE("foreign: a cutover waits for it to be stopped, and no answer is expected of it") {
  Lab lab(intent::Cutover{kPlan, "B", "A"});
  lab.roster["old"] = foreign(false, "A");
  lab.settle();
  CHECK_FALSE(lab.coordinator.reached());
  CHECK(lab.coordinator.refusal().find("old: ") == 0);
  Lab stopped(intent::Cutover{kPlan, "B", "A"});
  stopped.roster["old"] = foreign(true);
  for (const Aim aim : {Aim::prepare, Aim::block, Aim::activate}) {
    stopped.coordinator.aim(aim);
    stopped.settle();
    CHECK(stopped.coordinator.reached());
  }
}

TEST_CASE("coordinator: by a new session it looks before it writes on") {
  for (const std::string before : {"block", "activate", "commit-closed"}) {
    Lab lab(publication(true));
    lab.settle_before(before);
    lab.coordinator.session_began(lab.now);
    lab.settle();
    CHECK(lab.coordinator.ending()->kind == Ending::Kind::committed);

    Lab replaced(publication(true));
    replaced.settle_before(before);
    // A service that was made anew counts its versions anew, and may have come to the same one.
    replaced.service.state = State{};
    replaced.service.state.seq = 2'000;
    replaced.service.state.by = "reinit";
    replaced.service.state.ring = {1, "A"};
    replaced.coordinator.session_began(replaced.now);
    replaced.settle();
    REQUIRE(replaced.coordinator.ending());
    CHECK(replaced.coordinator.ending()->kind == Ending::Kind::overtaken);
    CHECK(replaced.service.state.by == "reinit");
  }
}
