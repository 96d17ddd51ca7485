// A member in a change.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fleet/member_lab.hpp"

using namespace fleet_lab;

TEST_CASE("member: a publication, and what is served at each of its stages") {
  Lab lab = joined();
  CHECK(lab.change(publish(Stage::prepare), {1, "A"}) == "look stage keep-record answer ");
  CHECK(lab.member.door(lab.now) == Door{});
  CHECK(lab.member.door(milliseconds(1'000'000)) == Door{});  // nothing can be committed

  CHECK(lab.change(publish(Stage::block), {1, "A"}) == "look ");
  CHECK(lab.member.holding());
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, {}});
  lab.member.drained(0, lab.now);
  CHECK(lab.settle() == "keep-record answer ");
  const nanoseconds until = lab.now + milliseconds(4'000);
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, until});
  CHECK(lab.member.door(until) == Door{Writes::refuse, false, {}});

  // The lease is renewed by a write of its own and a look after it, which counts from the write.
  CHECK(lab.member.wake(lab.now) == lab.now + milliseconds(1'000));
  lab.pass(1'000);
  CHECK(lab.settle() == "touch-entry look ");
  CHECK(lab.member.door(lab.now).until == lab.now + milliseconds(4'000));
  lab.pass(500);
  lab.member.changed(lab.now);
  CHECK(lab.settle() == "look ");
  CHECK(lab.member.door(lab.now).until == lab.now + milliseconds(3'500));

  CHECK(lab.change(publish(Stage::activate), {2, "B"}) ==
        "look keep-record activate keep-membership answer write-entry ");
  CHECK(lab.member.door(lab.now) == Door{Writes::wait, true, {}});
  CHECK(lab.member.door(lab.now + milliseconds(4'540)) == Door{});  // nobody serves by the old ring
  CHECK(lab.change(std::nullopt, {2, "B"}) == "look drop-record ");
  CHECK(lab.member.door(lab.now) == Door{});
  REQUIRE(lab.answers.size() == 3);
  for (const Answer& answer : lab.answers) CHECK(answer.incarnation == "i1");
}

TEST_CASE(
    "member: after its process was lost under a lease it refuses until it has written and looked") {
  OnDisk disk = a_member();
  disk.record = Record{"t",      Kind::publish, Record::Phase::leased, {1, "A"},
                       {2, "B"}, true,          milliseconds(4'000),   "",
                       true};
  MemberOptions chosen = options();
  chosen.grace = milliseconds(10'000);
  Lab lab(disk, chosen);
  lab.service.entry = Entry{"i0", {1, "A"}, "", 0, ""};
  lab.service.state.change = publish(Stage::block);
  CHECK(lab.member.door(lab.now) == Door{Writes::refuse, false, {}});
  lab.settle();
  CHECK(lab.member.door(lab.now).writes == Writes::wait);
  CHECK(lab.answers.empty());
  lab.member.drained(0, lab.now);
  lab.settle();
  REQUIRE(lab.answers.size() == 1);
  CHECK(lab.answers[0].indeterminate == 1);  // what the process before has sent may be done yet
}

TEST_CASE("member: one that finds no record of what all have agreed to is in doubt") {
  for (const Stage stage : {Stage::block, Stage::activate}) {
    Lab lab = joined();
    lab.member.changed(lab.now);
    lab.service.state.change = publish(stage);
    ++lab.service.state.seq;
    if (stage == Stage::activate) lab.service.state.ring = {2, "B"};
    const auto request = lab.member.next_request(lab.now);
    REQUIRE(std::holds_alternative<ask::Look>(*request));
    lab.member.seen(lab.service, lab.now);
    CHECK(lab.member.in_doubt());
    CHECK(lab.member.door(lab.now) == Door{Writes::refuse, false, {}});
    lab.settle();
    CHECK(lab.member.in_doubt() == (stage == Stage::block));
    CHECK(lab.answers.size() == (stage == Stage::block ? 0 : 1));
    lab.change(std::nullopt, lab.service.state.ring);
    CHECK_FALSE(lab.member.in_doubt());
    CHECK(lab.member.door(lab.now) == Door{});
  }
}

TEST_CASE("member: a ring that can't be had is refused by name, and tried again where it may be") {
  for (const bool for_good : {true, false}) {
    Lab lab = joined();
    lab.service.state.change = publish(Stage::prepare);
    ++lab.service.state.seq;
    lab.member.changed(lab.now);
    REQUIRE(lab.member.next_request(lab.now));
    lab.member.seen(lab.service, lab.now);
    REQUIRE(std::holds_alternative<work::Stage>(*lab.member.next_work(lab.now)));
    lab.member.failed("no shard \"x\"", for_good, lab.now);
    CHECK(lab.settle() == (for_good ? "answer " : ""));
    if (for_good) CHECK(lab.answers.at(0).refusal == "no shard \"x\"");
    if (!for_good) CHECK(lab.member.wake(lab.now) == lab.now + milliseconds(500));
    lab.pass(500);
    CHECK(lab.settle() == (for_good ? "" : "stage keep-record answer "));
  }
}

TEST_CASE("member: a change that stands still may be closed by anybody, an outage aside") {
  Lab lab = joined();
  lab.change(publish(Stage::prepare), {1, "A"});
  const auto due_after = [&](int ms) {
    lab.pass(ms);
    lab.settle();
    return lab.member.close_is_due(lab.now);
  };
  for (int i = 0; i < 6; ++i) CHECK_FALSE(due_after(10'000));
  CHECK_FALSE(due_after(8'000));
  CHECK(due_after(1));
  CHECK_FALSE(due_after(60'000));  // nobody could take a step meanwhile
  lab.change(publish(Stage::block), {1, "A"});
  CHECK_FALSE(due_after(8'000));
  CHECK(due_after(1));
}
