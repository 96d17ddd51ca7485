#include "fleet/protocol/text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace fleet;

namespace {

State full_state() {
  State state;
  state.seq = 41;
  state.by = "t1.3";
  state.ring = {17, "d17"};
  state.highest = 19;
  state.change = Change{"t1",
                        Kind::publish,
                        Stage::block,
                        true,
                        {17, "d17"},
                        {19, "d19"},
                        "",
                        true,
                        std::nullopt,
                        std::chrono::milliseconds(4000),
                        std::chrono::milliseconds(60'000),
                        "host:1",
                        "half to \"9\"\n",
                        1'700'000'000};
  state.last = Closed{"t0", true, std::chrono::milliseconds(4000)};
  return state;
}

template <typename Read>
std::string why_not(Read read, const std::string& text) {
  try {
    static_cast<void>(read(text));
  } catch (const Unreadable& failed) {
    return failed.what();
  }
  return "";
}

std::string with(std::string text, const std::string& part, const std::string& other) {
  const std::size_t at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.replace(at, part.size(), other);
}

}  // namespace

TEST_CASE("fleet texts: what is written is read") {
  CHECK(state_from(to_text(full_state())) == full_state());
  CHECK(state_from(to_text(State{})) == State{});
  const Blocks blocks{{"t1", "v1", true, "ann", "why"}, {"t2", "v2", false, "", ""}};
  CHECK(blocks_from(to_text(blocks)) == blocks);
  CHECK(blocks_from(to_text(Blocks{})) == Blocks{});
  const Entry entry{"i1", {3, "d3"}, "10.0.0.1:2020",
                    3020, "1.2",     std::chrono::milliseconds(60'000)};
  CHECK(entry_from(to_text(entry)) == entry);
  Entry foreign;
  foreign.speaks = {2, 5};
  foreign.foreign = Foreign{"http://h:1/", true, "d"};
  CHECK(entry_from(to_text(foreign)) == foreign);
  const Answer answer{"t1", Stage::activate, "i1", "no shard \"x\"", 7};
  CHECK(answer_from(to_text(answer)) == answer);
  const Record record{"t1",     Kind::block, Record::Phase::leased,           {1, "a"},
                      {1, "a"}, true,        std::chrono::milliseconds(4000), "v1",
                      false};
  CHECK(record_from(to_text(record)) == record);
  const PlanName plan{12, "p1", "tcp://1", "tcp://2"};
  State cutover = full_state();
  cutover.change->kind = Kind::reshard;
  cutover.change->plan = plan;
  CHECK(state_from(to_text(cutover)) == cutover);
  Record of_plan = record;
  of_plan.kind = Kind::reshard;
  of_plan.plan = plan;
  CHECK(record_from(to_text(of_plan)) == of_plan);
  const Membership membership{"m", "i2", "i1", {3, "d3"}, 99};
  CHECK(membership_from(to_text(membership)) == membership);
}

TEST_CASE("fleet texts: what a later program adds is passed over; another version is not read") {
  const std::string text = to_text(full_state());
  CHECK(state_from(with(text, "\"seq\"", "\"new\":{\"x\":1},\"seq\"")) == full_state());
  CHECK(why_not(state_from, with(text, "\"v\":1", "\"v\":3")) ==
        "state: it has version 3, and this program knows none beyond 2");
  CHECK_THROWS_AS(state_from(with(text, "\"v\":1", "\"v\":3")), Newer);
  const std::string blocks = to_text(Blocks{});
  CHECK_THROWS_AS(blocks_from(with(blocks, "\"v\":1", "\"v\":2")), Newer);
}

TEST_CASE(
    "fleet texts: a state has the version that its change needs; old entries speak the first") {
  State state = full_state();
  CHECK(to_text(state).starts_with("{\"v\":1,"));
  state.change->kind = Kind::reshard;
  state.change->plan = PlanName{12, "p1", "tcp://1", "tcp://2"};
  CHECK(to_text(state).starts_with("{\"v\":2,"));
  state.change.reset();
  CHECK(to_text(state).starts_with("{\"v\":1,"));
  const std::string entry = to_text(Entry{});
  CHECK(entry_from(entry).speaks == kVersions);
  CHECK(entry_from(with(entry, "\"protocol\":[1,2]", "\"other\":0")).speaks == Versions{1, 1});
  CHECK(why_not(entry_from, with(entry, "\"protocol\":[1,2]", "\"protocol\":[1]")) != "");
}

TEST_CASE("fleet texts: damage is named") {
  const std::string text = to_text(full_state());
  for (const std::string damaged : {"", "{", "7", "null", "[]", "\"\""})
    CHECK(why_not(state_from, damaged) == "state: it is not an object in JSON");
  CHECK(why_not(state_from, with(text, "\"stage\":\"block\"", "\"stage\":\"soon\"")) ==
        "state: stage: \"soon\" is not known");
  for (const std::string member : {"seq", "by", "ring", "highest", "digest", "token", "leaseMs"})
    CHECK(why_not(state_from, with(text, "\"" + member + "\"", "\"gone\"")).c_str() ==
          doctest::Contains(("state: [json.exception.out_of_range.403] key '" + member).c_str()));
  CHECK(why_not(state_from, with(text, "\"publish\"", "\"reshard\"")).c_str() ==
        doctest::Contains("state: [json.exception.type_error"));  // of which plan?
  CHECK(why_not(state_from, with(text, "\"seq\":41", "\"seq\":\"41\"")).c_str() ==
        doctest::Contains("state: [json.exception.type_error"));
  // Every text that is cut short is refused, and none ends the program.
  for (std::size_t length = 0; length < text.size(); ++length)
    CHECK(why_not(state_from, text.substr(0, length)) != "");
}
