#include "reshard/dump_lock.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace reshard;
using coordination::Create;
using coordination::Node;
using coordination::Remove;
using coordination::Set;
using Kind = LockStep::Kind;

namespace {

LockClaim claim(std::uint64_t plan, const std::string& token, const std::string& fleet = "east") {
  return {"/pg_dump_lock", fleet, plan, token, "moray@coordinator", "2026-12-01T10:00:00.000Z"};
}

/// The node after a claim's step is done.
Node taken(const LockClaim& mine, const std::optional<Node>& node = {}) {
  const LockStep step = step_to_take(mine, node);
  REQUIRE(step.kind == Kind::write);
  if (const auto* create = std::get_if<Create>(&*step.write)) return {create->value};
  const auto& set = std::get<Set>(*step.write);
  REQUIRE(set.version == node->version);
  return {set.value, node->version + 1};
}

nlohmann::json json_of(const Node& node) { return nlohmann::json::parse(node.value); }

}  // namespace

TEST_CASE("dump lock: a free one is created to stay, and the world reads who has it") {
  const LockStep step = step_to_take(claim(7, "t7"), std::nullopt);
  REQUIRE(step.kind == Kind::write);
  const auto& create = std::get<Create>(*step.write);
  CHECK(create.path == "/pg_dump_lock");
  CHECK_FALSE(create.ephemeral);
  CHECK(create.world_reads);
  CHECK(nlohmann::json::parse(create.value) ==
        nlohmann::json({{"owner", "moray-router"},
                        {"fleet", "east"},
                        {"plan", 7},
                        {"token", "t7"},
                        {"host", "moray@coordinator"},
                        {"since", "2026-12-01T10:00:00.000Z"}}));
}

TEST_CASE("dump lock: the plan's token makes it the plan's, whatever its number and host are now") {
  const Node node = taken(claim(7, "t7"));
  CHECK(step_to_take(claim(8, "t7"), node).kind == Kind::done);
  CHECK(step_to_take(claim(7, "t7", "renamed"), node).kind == Kind::done);
}

TEST_CASE("dump lock: plans of a fleet share it: the first creates it, the last removes it") {
  const Node one = taken(claim(1, "t1"));
  const Node both = taken(claim(2, "t2"), one);
  CHECK(json_of(both).at("token") == "t1");
  CHECK(json_of(both).at("others").at(0).at("token") == "t2");
  CHECK(step_to_take(claim(1, "t1"), both).kind == Kind::done);
  CHECK(step_to_take(claim(2, "t2"), both).kind == Kind::done);

  const LockStep first_ends = step_to_give_back(claim(1, "t1"), both);
  const auto& left = std::get<Set>(*first_ends.write);
  CHECK(left.version == both.version);
  CHECK(nlohmann::json::parse(left.value) == json_of(taken(claim(2, "t2"))));
  const Node last{left.value, both.version + 1};
  CHECK(step_to_give_back(claim(1, "t1"), last).kind == Kind::done);
  const LockStep last_ends = step_to_give_back(claim(2, "t2"), last);
  CHECK(std::get<Remove>(*last_ends.write).version == last.version);
}

TEST_CASE("dump lock: what anybody else has written is waited for, and never changed") {
  const std::string other_fleet = taken(claim(3, "t3", "west")).value;
  for (const std::string& value :
       {std::string(), std::string("mola"), std::string("{}"), std::string("[]"), std::string("7"),
        std::string(R"({"owner":"moray-router","fleet":"east"})"),
        std::string(R"({"owner":"mola","fleet":"east","token":"t7"})"),
        std::string(R"({"owner":"moray-router","fleet":"east","token":7})"),
        std::string(R"({"owner":"moray-router","fleet":"east","token":"x","others":{}})"),
        std::string(R"({"owner":"moray-router","fleet":"east","token":"x","others":[1]})"),
        std::string("\xff\x00{", 3), other_fleet}) {
    CAPTURE(value);
    const Node node{value, 3, 0, 1'764'583'200'000};
    const LockStep step = step_to_take(claim(7, "t7"), node);
    CHECK(step.kind == Kind::others);
    CHECK_FALSE(step.write);
    CHECK(step.others.created_ms == node.created_ms);
    CHECK(step.others.who.starts_with("/pg_dump_lock is there since 2025-12-01T10:00:00.000Z"));
    CHECK(step_to_give_back(claim(7, "t7"), node).kind == Kind::done);
  }
}

TEST_CASE("dump lock: a long or odd value is shown as far as people need it") {
  const Node node{std::string(10'000, 'x'), 0};
  CHECK(step_to_take(claim(7, "t7"), node).others.who.size() < 600);
  const std::string who = step_to_take(claim(7, "t7"), Node{"a\x1b[2Jb\xff", 0}).others.who;
  for (const char each : who) CHECK((each >= ' ' && each <= '~'));
}

TEST_CASE("dump lock: what a later program says of a holder stays, and so do its holders") {
  const Node node{
      R"({"owner":"moray-router","fleet":"east","workflow":"w1","token":"tw","more":{"a":1},"others":[{"token":"t1","x":2}]})",
      4};
  const Node both = taken(claim(2, "t2"), node);
  auto expected = nlohmann::json::parse(node.value);
  CHECK(json_of(both).at("more") == expected.at("more"));
  CHECK(json_of(both).at("others").at(0) == expected.at("others").at(0));
  CHECK(json_of(both).at("others").size() == 2);
}

TEST_CASE("dump lock: a node that is full is waited for") {
  std::optional<Node> node;
  for (std::uint64_t plan = 1;; ++plan) {
    const LockStep step = step_to_take(claim(plan, "token" + std::to_string(plan)), node);
    if (step.kind == Kind::others) {
      CHECK(step.others.who.ends_with("no more plans fit into it"));
      CHECK(plan > 300);
      return;
    }
    node = taken(claim(plan, "token" + std::to_string(plan)), node);
    REQUIRE(node->value.size() <= coordination::kNodeBytesMost);
  }
}
