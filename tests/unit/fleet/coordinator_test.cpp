// A coordinator, from its intent to its end.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fleet/coordinator_lab.hpp"

using namespace coordinator_lab;

TEST_CASE(
    "coordinator: a publication goes through its stages, and is counted by the roster after it is "
    "opened") {
  Lab lab(intent::Publish{"B", true, "A"});
  CHECK(lab.settle() ==
        "touch look prepare roster answers block answers activate answers commit-closed ");
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::committed);
  CHECK(lab.service.state.ring == RingName{6, "B"});  // a number is never given twice
  CHECK(lab.service.state.highest == 6);
  CHECK(lab.service.state.last == Closed{"t", true, milliseconds(4'000)});
  CHECK(lab.service.state.seq == 5);
}

TEST_CASE(
    "coordinator: data that are added need no drain; a block is done by the write that closes it") {
  Lab data(intent::Publish{"A", false, "A"});
  CHECK(data.settle() == "touch look prepare roster answers activate answers commit-closed ");
  Lab block(intent::Block{"v", false});
  CHECK(block.settle() == "touch look block roster answers commit-closed ");
  CHECK(block.service.blocks == Blocks{{"t", "v", false, "ann", "why"}});
  CHECK(block.service.state.ring == RingName{1, "A"});

  Lab unblock(intent::Unblock{"t"});
  unblock.service = block.service;
  CHECK(unblock.settle() == "touch look commit-closed ");
  CHECK(unblock.service.blocks.empty());
  Lab none(intent::Unblock{"t"});
  none.settle();
  CHECK(none.coordinator.ending()->kind == Ending::Kind::abandoned);
  CHECK(none.coordinator.ending()->why == "there is no such block: t");
}

TEST_CASE(
    "coordinator: a ring that was made from another one than that in force is not published") {
  Lab lab(intent::Publish{"C", false, "B"});
  CHECK(lab.settle() == "touch look ");
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::abandoned);
  CHECK(lab.coordinator.ending()->why == "the ring in force is A by now, not B");
}

TEST_CASE("coordinator: what does not count as an answer, and who is named then") {
  struct Case {
    const char* what;
    std::function<std::optional<Answer>(const Change&)> of_m2;
    const char* why;
    int after;  // ms
  };
  const Case cases[] = {
      {"none", [](const Change&) { return std::nullopt; }, "no answer from m2", 60'000},
      {"another change's",
       [](const Change& c) {
         return Answer{"u", c.stage, "i2", "", 0};
       },
       "no answer from m2", 60'000},
      {"another stage's",
       [](const Change& c) {
         return Answer{c.token, Stage::block, "i2", "", 0};
       },
       "no answer from m2", 60'000},
      {"the process before's",
       [](const Change& c) {
         return Answer{c.token, c.stage, "i0", "", 0};
       },
       "no answer from m2", 60'000},
      {"a refusal",
       [](const Change& c) {
         return Answer{c.token, c.stage, "i2", "no shard", 0};
       },
       "m2: no shard", 0},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    Lab lab(intent::Publish{"B", true, "A"});
    lab.answer = [&](const std::string& id, const Change& change) {
      return id == "m2" ? each.of_m2(change) : Answer{change.token, change.stage, "i1", "", 0};
    };
    lab.settle();
    CHECK(lab.coordinator.ending().has_value() == (each.after == 0));
    lab.pass(each.after);
    lab.settle();
    REQUIRE(lab.coordinator.ending());
    CHECK(lab.coordinator.ending()->kind == Ending::Kind::abandoned);
    CHECK(lab.coordinator.ending()->why == each.why);
    CHECK(lab.service.state.last == Closed{"t", false, milliseconds(4'000)});
    CHECK(lab.service.state.ring == RingName{1, "A"});
  }
}

TEST_CASE(
    "coordinator: writes that may be done yet stop a drain, unless somebody says that it is fine") {
  Lab lab(intent::Publish{"B", true, "A"});
  lab.answer = [](const std::string& id, const Change& change) {
    return Answer{change.token, change.stage, id == "m1" ? "i1" : "i2", "", id == "m1" ? 3u : 0u};
  };
  lab.settle();
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::abandoned);
  CHECK(lab.coordinator.ending()->why ==
        "m1: 3 writes may be done yet: their shard was lost before it answered, or their router "
        "was killed a moment ago");
}

TEST_CASE(
    "coordinator: after the commit a silent member is waited for as long as its lease may last") {
  Lab lab(intent::Publish{"B", true, "A"});
  lab.answer = [](const std::string& id, const Change& change) -> std::optional<Answer> {
    if (id == "m2" && change.stage == Stage::activate) return std::nullopt;
    return Answer{change.token, change.stage, id == "m1" ? "i1" : "i2", "", 0};
  };
  lab.settle();
  CHECK_FALSE(lab.coordinator.ending());
  lab.pass(4'539);
  lab.settle();
  CHECK_FALSE(lab.coordinator.ending());
  lab.pass(1);
  lab.settle();
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::committed);
}

TEST_CASE("coordinator: a lost answer is looked up after a write, at each of its own writes") {
  for (const std::string write : {"prepare", "block", "activate", "commit-closed"}) {
    CAPTURE(write);
    for (const bool done : {true, false}) {
      CAPTURE(done);
      Lab lab(intent::Publish{"B", true, "A"});
      lab.settle_before(write);
      if (done) {
        const auto request = lab.coordinator.next_request(lab.now);
        lab.put(std::get<ask::Write>(*request));
        lab.coordinator.told(Outcome::unknown, lab.now);
      } else {
        lab.step(Outcome::unknown);
      }
      const std::string after = lab.settle();
      CHECK(after.substr(0, 11) == "touch look ");
      CHECK((after.find(write + " ") == 11) == !done);
      CHECK(lab.coordinator.ending()->kind == Ending::Kind::committed);
      CHECK(lab.service.state.ring == RingName{6, "B"});
    }
  }
}

TEST_CASE(
    "coordinator: one that was overtaken writes nothing more, and says what has become of it") {
  for (const Outcome outcome : {Outcome::unknown, Outcome::version_differs}) {
    for (const bool closed : {true, false}) {
      Lab lab(intent::Publish{"B", true, "A"});
      lab.settle_before("activate");
      ++lab.service.version;
      lab.service.state.by = "another";
      if (closed) {
        lab.service.state.last = Closed{"t", false};
        lab.service.state.change.reset();
      }
      lab.step(outcome);
      CHECK(lab.settle() == "touch look ");
      REQUIRE(lab.coordinator.ending());
      CHECK(lab.coordinator.ending()->kind ==
            (closed ? Ending::Kind::abandoned : Ending::Kind::overtaken));
      CHECK(lab.service.state.ring == RingName{1, "A"});
    }
  }
}

TEST_CASE(
    "coordinator: it waits while a change is open, and begins anew where another was faster") {
  Lab lab(intent::Publish{"B", true, "A"});
  lab.service.state.change = Change{};
  lab.service.state.change->why = "theirs";
  lab.service.state.change->coordinator = "bob";
  CHECK(lab.settle() == "touch look ");
  lab.pass(100);
  lab.service.state.change.reset();
  lab.settle_before("prepare");
  ++lab.service.version;
  lab.settle();
  CHECK(lab.coordinator.ending()->kind == Ending::Kind::committed);

  Lab late(intent::Publish{"B", true, "A"});
  late.service.state.change = Change{};
  late.service.state.change->why = "theirs";
  late.service.state.change->coordinator = "bob";
  late.settle();
  late.pass(30'001);
  late.settle();
  CHECK(late.coordinator.ending()->why == "another change is open: theirs (bob)");
}

TEST_CASE("coordinator: what the service refuses is said, and not written on and on") {
  for (const Outcome outcome : {Outcome::denied, Outcome::refused}) {
    Lab lab(intent::Block{"v", true});
    lab.settle_before("block");
    lab.step(outcome);
    REQUIRE(lab.coordinator.ending());
    CHECK(lab.coordinator.ending()->kind == Ending::Kind::refused);
  }
}

TEST_CASE("coordinator: a person's word commits what all have blocked, and nothing else") {
  for (const Stage stage : {Stage::prepare, Stage::block}) {
    Lab lab(intent::Close{"left", 1, true});
    Change left;
    left.token = "left";
    left.kind = Kind::reshard;
    left.plan = PlanName{7, "p", "source", "target"};
    left.stage = stage;
    left.base = {1, "A"};
    left.next = {6, "B"};
    lab.service.state.change = left;
    const bool committed = stage == Stage::block;
    CHECK(lab.settle() ==
          (committed ? "touch look activate roster answers commit-closed " : "touch look close "));
    CHECK(lab.service.state.ring == (committed ? left.next : left.base));
    CHECK(lab.service.state.last == Closed{"left", committed, left.lease});
  }
}

TEST_CASE(
    "coordinator: a change that was left is abandoned before its commit, and completed after it") {
  for (const Stage stage : {Stage::prepare, Stage::block, Stage::activate}) {
    Change left;
    left.token = "left";
    left.stage = stage;
    left.base = {1, "A"};
    left.next = {6, "B"};
    left.lease = milliseconds(4'000);
    const bool committed = stage == Stage::activate;
    for (const std::uint64_t seq : {1u, 7u}) {
      Lab lab(intent::Close{"left", seq});
      lab.service.state.change = left;
      if (committed) lab.service.state.ring = left.next;
      lab.settle();
      REQUIRE(lab.coordinator.ending());
      if (seq != lab.service.state.seq && lab.service.state.change) {  // it has moved meanwhile
        CHECK(lab.coordinator.ending()->kind == Ending::Kind::overtaken);
        continue;
      }
      CHECK(lab.service.state.last == Closed{"left", committed, left.lease});
      CHECK(lab.service.state.ring == (committed ? left.next : left.base));
    }
  }
}
