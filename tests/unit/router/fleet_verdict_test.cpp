// What a lost fleet's state was, by what its routers say.
#include "router/cli/fleet_verdict.hpp"

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace router::cli;
using fleet::Record;

namespace {

const fleet::RingName kBase{4, "base"}, kNext{5, "next"}, kOther{3, "other"};

Record record_in(Record::Phase phase, bool drains = true, fleet::Kind kind = fleet::Kind::publish) {
  Record record;
  record.token = "t";
  record.kind = kind;
  record.phase = phase;
  record.base = kBase;
  record.next = kind == fleet::Kind::block ? kBase : kNext;
  record.drains = drains;
  return record;
}

MemberReport with(const fleet::RingName& ring) {
  MemberReport report;
  report.inside = true;
  report.entry.ring = ring;
  return report;
}
MemberReport with(const Record& record) {
  MemberReport report = with(record.phase == Record::Phase::activated ? record.next : record.base);
  report.record = record;
  return report;
}
MemberReport blocking(const std::string& token, const std::string& vnodes = "v") {
  MemberReport report = with(kBase);
  report.blocks.push_back({token, vnodes, true, "", ""});
  return report;
}

MemberReports all(const std::vector<MemberReport>& reports) {
  MemberReports members;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    members["m" + std::to_string(i + 1)] = reports[i];
    members["m" + std::to_string(i + 1)].id = "m" + std::to_string(i + 1);
  }
  return members;
}

/// By what routers say, and a person: "yes", "no", or why it can't be told.
std::string verdict(const std::vector<MemberReport>& reports, Said said = Said::nothing) {
  const MemberReports members = all(reports);
  const auto open = open_record(members);
  REQUIRE(open);
  try {
    return was_committed(*open, members, said) ? "yes" : "no";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

const Record kPrepared = record_in(Record::Phase::prepared);
const Record kLeased = record_in(Record::Phase::leased);
const Record kActivated = record_in(Record::Phase::activated);

}  // namespace

TEST_CASE(
    "verdict: who has seen the commit knows, and who has not agreed knows that there was none") {
  CHECK(verdict({with(kLeased), with(kActivated)}) == "yes");
  CHECK(verdict({with(kLeased), with(kNext)}) == "yes");
  CHECK(verdict({with(kLeased), with(kPrepared)}) == "no");
  CHECK(verdict({with(kLeased), with(kBase)}) == "no");
  // A change that moves nothing is committed by prepared answers: one more is no sign.
  const Record still = record_in(Record::Phase::prepared, false);
  CHECK(verdict({with(still), with(still)}).find("was it committed?") != std::string::npos);
  CHECK(verdict({with(still), with(kNext)}) == "yes");
}

TEST_CASE("verdict: a person says it where all have agreed, and nowhere else") {
  CHECK(verdict({with(kLeased), with(kLeased)}).find("was it committed?") != std::string::npos);
  CHECK(verdict({with(kLeased), with(kLeased)}, Said::committed) == "yes");
  CHECK(verdict({with(kLeased), with(kLeased)}, Said::not_committed) == "no");
  CHECK(verdict({with(kLeased), with(kActivated)}, Said::committed) == "yes");
  CHECK(verdict({with(kLeased), with(kPrepared)}, Said::not_committed) == "no");
  CHECK(verdict({with(kLeased), with(kActivated)}, Said::not_committed).find("m2 has put") == 0);
  CHECK(verdict({with(kLeased), with(kPrepared)}, Said::committed).find("m2 has not agreed") == 0);
}

TEST_CASE("verdict: what does not go together is named, and decides nothing") {
  for (const Said said : {Said::nothing, Said::committed, Said::not_committed}) {
    CHECK(verdict({with(kPrepared), with(kActivated)}, said) ==
          "change t is committed, says m2, and can't be, since m1 has not agreed to it");
    CHECK(verdict({with(kLeased), with(kNext), with(kBase)}, said).find("says m2") !=
          std::string::npos);
    CHECK(verdict({with(kLeased), with(kOther)}, said).find("m2 has ring 3") == 0);
  }
  Record later = kLeased;
  later.token = "u";
  CHECK_THROWS_WITH_AS(static_cast<void>(open_record(all({with(kLeased), with(later)}))),
                       doctest::Contains("two changes: t and u"), std::runtime_error);
  CHECK_FALSE(open_record(all({with(kBase), with(kNext)})));
}

TEST_CASE(
    "verdict: a block was committed where a router blocks by it, and not where one has none") {
  const Record block = record_in(Record::Phase::leased, true, fleet::Kind::block);
  CHECK(verdict({with(block), blocking("t")}) == "yes");
  CHECK(verdict({with(block), blocking("another")}) == "no");
  CHECK(verdict({with(block), with(kBase)}) == "no");
  CHECK(verdict({with(block), blocking("t"), with(kBase)}).find("is committed, says m2") !=
        std::string::npos);
}

TEST_CASE("verdict: the ring that all have, or that a person has named") {
  CHECK(ring_by(all({with(kBase), with(kBase)}), 0) == kBase);
  CHECK(ring_by(all({with(kBase), with(kNext)}), 5) == kNext);
  CHECK_THROWS_WITH_AS(static_cast<void>(ring_by(all({with(kBase), with(kNext)}), 0)),
                       doctest::Contains("--ring GENERATION"), std::runtime_error);
  CHECK_THROWS_WITH_AS(static_cast<void>(ring_by(all({with(kBase), with(kNext)}), 6)),
                       doctest::Contains("no router has ring 6"), std::runtime_error);
  // One number, two rings.
  CHECK_THROWS_AS(static_cast<void>(ring_by(all({with(kBase), with({4, "differs"})}), 4)),
                  std::runtime_error);
}

TEST_CASE("verdict: blocks that all have, beside that of the open change") {
  const Record block = record_in(Record::Phase::leased, true, fleet::Kind::block);
  MemberReport both = blocking("t");
  both.blocks.push_back({"kept", "w", true, "", ""});
  CHECK(blocks_by(all({both, blocking("kept", "w")}), block).size() == 1);
  CHECK(blocks_by(all({both, both}), std::nullopt).size() == 2);
  CHECK_THROWS_WITH_AS(
      static_cast<void>(blocks_by(all({both, blocking("kept", "w")}), std::nullopt)),
      doctest::Contains("--unblock"), std::runtime_error);
  CHECK_THROWS_AS(static_cast<void>(blocks_by(all({blocking("a"), blocking("b")}), block)),
                  std::runtime_error);
}
