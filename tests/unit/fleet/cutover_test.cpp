// A coordinator of a cutover, which its owner takes from stage to stage.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fleet/coordinator_lab.hpp"

using namespace coordinator_lab;

namespace {

const PlanName kPlan{7, "p", "source", "target"};

Lab cutover() { return Lab(intent::Cutover{kPlan, "B", "A"}); }

/// As a coordinator before has left it.
void leave(Lab& lab, Stage stage) {
  Change change;
  change.token = "before";
  change.kind = Kind::reshard;
  change.plan = kPlan;
  change.stage = stage;
  change.base = {1, "A"};
  change.next = {6, "B"};
  lab.service.state.change = change;
  if (stage == Stage::activate) lab.service.state.ring = change.next;
}

}  // namespace

TEST_CASE("cutover: each stage is begun when its owner wants it, and waits for all") {
  Lab lab = cutover();
  CHECK(lab.settle() == "touch look prepare roster answers ");
  CHECK(lab.coordinator.reached());
  CHECK(lab.service.state.change->plan == kPlan);
  lab.pass(3'600'000);  // its limits are the owner's
  CHECK(lab.settle().empty());
  lab.coordinator.aim(Aim::block);
  CHECK_FALSE(lab.coordinator.reached());
  CHECK(lab.settle() == "block answers ");
  CHECK(lab.coordinator.reached());
  lab.coordinator.aim(Aim::activate);
  CHECK(lab.settle() == "activate answers ");
  CHECK(lab.service.state.ring == RingName{6, "B"});
  CHECK(lab.coordinator.reached());
  lab.coordinator.aim(Aim::committed);
  CHECK(lab.settle() == "commit-closed ");
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::committed);
}

TEST_CASE("cutover: a member that refuses, or is silent, is named, and ends nothing by itself") {
  Lab lab = cutover();
  std::string refusal = "no such shard";
  lab.answer = [&](const std::string& id, const Change& change) {
    return Answer{change.token, change.stage, id == "m1" ? "i1" : "i2", id == "m2" ? refusal : "",
                  3};
  };
  lab.settle();
  CHECK_FALSE(lab.coordinator.reached());
  CHECK(lab.coordinator.refusal() == "m2: no such shard");
  CHECK_FALSE(lab.coordinator.ending());
  refusal.clear();  // writes that nobody knows about are the fence's
  lab.pass(100);
  CHECK(lab.settle() == "answers ");
  CHECK(lab.coordinator.reached());

  lab.coordinator.aim(Aim::block);
  lab.answer = [](const std::string&, const Change&) { return std::nullopt; };
  lab.settle();
  CHECK_FALSE(lab.coordinator.reached());
  CHECK(lab.coordinator.waits_for() == "m1, m2");
  lab.coordinator.aim(Aim::abandoned);
  lab.pass(100);
  CHECK(lab.settle() == "close ");
  CHECK(lab.service.state.ring == RingName{1, "A"});
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::abandoned);
}

TEST_CASE("cutover: what is wanted while a write's answer is lost is done after it is known") {
  for (const bool done : {false, true}) {
    Lab lab = cutover();
    lab.settle();
    lab.coordinator.aim(Aim::block);
    const auto request = lab.coordinator.next_request(lab.now);
    REQUIRE(request);
    if (done) lab.put(std::get<ask::Write>(*request));
    lab.coordinator.told(Outcome::unknown, lab.now);
    lab.coordinator.aim(Aim::abandoned);
    CHECK(lab.settle() == (done ? "touch look close " : "touch look block close "));
    CHECK_FALSE(lab.service.state.change);
  }
}

TEST_CASE("cutover: a plan's next coordinator goes on with what the last one has left") {
  for (const Stage stage : {Stage::prepare, Stage::block, Stage::activate}) {
    const bool late = stage == Stage::activate;
    Lab back = cutover();
    leave(back, stage);
    back.coordinator.aim(Aim::abandoned);
    const std::string closed = back.settle();
    CHECK(closed == (late ? "touch look " : "touch look close "));
    CHECK(back.coordinator.ending()->kind ==
          (late ? Ending::Kind::overtaken : Ending::Kind::abandoned));

    Lab forward = cutover();
    leave(forward, stage);
    forward.coordinator.aim(Aim::activate);
    CHECK(forward.settle() == (late                      ? "touch look roster answers "
                               : stage == Stage::prepare ? "touch look "
                                                         : "touch look activate roster answers "));
    if (stage == Stage::prepare) {  // nobody has blocked what is said to be committed
      CHECK(forward.coordinator.ending()->kind == Ending::Kind::overtaken);
      CHECK(forward.service.state.change->stage == Stage::prepare);
      continue;
    }
    CHECK(forward.coordinator.reached());
    CHECK(forward.service.state.change->token == "before");
  }
  // The leases are over, and it was never written that the ring is in force.
  Lab late = cutover();
  leave(late, Stage::block);
  late.coordinator.aim(Aim::committed);
  CHECK(late.settle() == "touch look commit-closed ");
  CHECK(late.service.state.ring == RingName{6, "B"});
  CHECK(late.service.state.last == Closed{"before", true, {}});
  Lab early = cutover();
  leave(early, Stage::prepare);
  early.coordinator.aim(Aim::committed);
  early.settle();
  CHECK(early.coordinator.ending()->kind == Ending::Kind::overtaken);
  CHECK(early.service.state.change);
}

TEST_CASE("cutover: what is found is left as it is until its owner has looked") {
  for (const Stage stage : {Stage::prepare, Stage::block, Stage::activate}) {
    Lab lab = cutover();
    leave(lab, stage);
    lab.coordinator.aim(Aim::found);
    CHECK(lab.settle() == "touch look roster answers ");
    CHECK(lab.coordinator.reached());
    CHECK(lab.coordinator.state().change->stage == stage);
    lab.pass(100'000);
    CHECK(lab.settle().find("close") == std::string::npos);
    // Another coordinator of the plan has gone on: what is written then is not done.
    ++lab.service.version;
    lab.service.state.by = "another";
    lab.coordinator.aim(stage == Stage::activate ? Aim::committed : Aim::abandoned);
    lab.settle();
    CHECK(lab.coordinator.ending()->kind == Ending::Kind::overtaken);
    CHECK(lab.service.state.change);
  }
  Lab none = cutover();
  none.coordinator.aim(Aim::found);
  CHECK(none.settle() == "touch look ");
  CHECK(none.coordinator.ending()->kind == Ending::Kind::overtaken);
}

TEST_CASE("cutover: nothing is opened by one that is to close, nor from another ring, nor twice") {
  for (const Aim aim : {Aim::abandoned, Aim::committed, Aim::activate}) {
    Lab lab = cutover();
    lab.coordinator.aim(aim);
    CHECK(lab.settle() == "touch look ");
    CHECK(lab.coordinator.ending()->kind == Ending::Kind::overtaken);
  }
  Lab other(intent::Cutover{kPlan, "C", "B"});
  CHECK(other.settle() == "touch look ");
  CHECK(other.coordinator.ending()->kind == Ending::Kind::abandoned);

  Lab waits = cutover();
  leave(waits, Stage::prepare);
  waits.service.state.change->plan->token = "another";
  CHECK(waits.settle() == "touch look ");
  CHECK_FALSE(waits.coordinator.waits_for().empty());
  waits.pass(30'001);
  waits.settle();
  CHECK(waits.coordinator.ending()->kind == Ending::Kind::unreached);
}
