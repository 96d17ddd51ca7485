#include "router/cli/fleet_verdict.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "router/cli/fleet_show.hpp"

namespace router::cli {

using fleet::Record;

namespace {

bool has_blocked(const MemberReport& report, const std::string& token) {
  return std::any_of(report.blocks.begin(), report.blocks.end(),
                     [&](const fleet::Block& block) { return block.token == token; });
}

}  // namespace

std::optional<Record> open_record(const MemberReports& members) {
  std::optional<Record> open;
  for (const auto& [id, report] : members) {
    if (!report.record) continue;
    if (open && open->token != report.record->token)
      throw std::runtime_error("routers have agreed to two changes: " + open->token + " and " +
                               report.record->token + "; stop the routers that have the older one");
    if (!open || report.record->phase > open->phase) open = report.record;
  }
  return open;
}

bool was_committed(const Record& record, const MemberReports& members, Said said) {
  std::string yes, no;
  for (const auto& [id, report] : members) {
    if (report.record) {
      if (report.record->phase == Record::Phase::activated) yes = id;
      if (report.record->phase == Record::Phase::prepared && record.drains) no = id;
    } else if (record.kind == fleet::Kind::block) {
      (has_blocked(report, record.token) ? yes : no) = id;
    } else if (report.entry.ring == record.next) {
      yes = id;
    } else if (report.entry.ring == record.base) {
      no = id;
    } else {
      throw std::runtime_error(id + " has ring " + shown_ring(report.entry.ring) +
                               ", and others have agreed to change " + record.token + " from " +
                               shown_ring(record.base) + " to " + shown_ring(record.next) +
                               ": one of them has been away for long; stop it, and say --without");
    }
  }
  if (!yes.empty() && !no.empty())
    throw std::runtime_error("change " + record.token + " is committed, says " + yes +
                             ", and can't be, since " + no + " has not agreed to it");
  if (!yes.empty() && said == Said::not_committed)
    throw std::runtime_error(yes + " has put the change " + record.token +
                             " in force: it is committed");
  if (!no.empty() && said == Said::committed)
    throw std::runtime_error(no + " has not agreed to the change " + record.token +
                             ": it can't have been committed");
  if (yes.empty() && no.empty() && said == Said::nothing)
    throw std::runtime_error("a change is open, " + record.token +
                             ", and all routers have agreed to it: was it committed? --committed, "
                             "or --not-committed");
  return yes.empty() && no.empty() ? said == Said::committed : !yes.empty();
}

fleet::RingName ring_by(const MemberReports& members, std::uint64_t generation) {
  std::set<std::pair<std::uint64_t, std::string>> rings;
  std::vector<std::string> said;
  for (const auto& [id, report] : members) {
    const fleet::RingName& ring = report.entry.ring;
    if (generation == 0 || ring.generation == generation)
      rings.insert({ring.generation, ring.digest});
    said.push_back(id + " has " + shown_ring(ring));
  }
  if (rings.size() == 1) return {rings.begin()->first, rings.begin()->second};
  if (rings.empty())
    throw std::runtime_error("no router has ring " + std::to_string(generation) + ": " +
                             listed(said, "; "));
  throw std::runtime_error("the routers have different rings: " + listed(said, "; ") +
                           ". Which is to be in force? --ring GENERATION");
}

fleet::Blocks blocks_by(const MemberReports& members, const std::optional<Record>& record) {
  const auto known = [&](fleet::Blocks blocks) {
    std::erase_if(
        blocks, [&](const fleet::Block& block) { return record && block.token == record->token; });
    return blocks;
  };
  fleet::Blocks blocks = known(members.begin()->second.blocks);
  for (const auto& [id, report] : members)
    if (known(report.blocks) != blocks)
      throw std::runtime_error("routers block different vnodes; --unblock ends all blocks");
  return blocks;
}

}  // namespace router::cli
