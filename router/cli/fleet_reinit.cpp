// A fleet's state written anew, after the service was lost or restored to an earlier day.
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "ring/generation_store.hpp"
#include "router/cli/commands.hpp"
#include "router/cli/fleet_acts.hpp"
#include "router/cli/fleet_reports.hpp"
#include "router/cli/fleet_show.hpp"
#include "router/cli/fleet_verdict.hpp"
#include "router/control/coordinator_lease.hpp"
#include "router/member/roster_keeper.hpp"

namespace router::cli::fleet_acts {
namespace {

using fleet::Record;

constexpr std::uint64_t kSeqAhead = 1'000;  // of what members that do not answer may have seen
constexpr std::chrono::milliseconds kLease{4'000};

/// As the service has it, and as this host's router has seen it last.
fleet::Roster roster_of(const fleet::Remains& there, const std::string& store) {
  fleet::Roster roster = kept_roster(store);
  for (const auto& [id, member] : there.members)
    if (member.problem.empty()) roster[id] = member.entry;
  return roster;
}

/// Who takes part: each router that anybody knows as a member must be known to be gone, or say what
/// it has.
MemberReports members_of(const MemberReports& all, const fleet::Remains& there,
                         const std::string& fleet, const std::vector<std::string>& gone) {
  const auto is_gone = [&](const std::string& id) {
    return std::find(gone.begin(), gone.end(), id) != gone.end();
  };
  MemberReports members;
  std::map<std::string, std::string> silent;
  for (const auto& [id, member] : there.members)
    if (!member.problem.empty()) silent[id] = member.problem;
  for (const auto& [name, report] : all) {
    if (!report.problem.empty()) {
      silent[name] = report.problem;
    } else if (report.fleet != fleet) {
      throw std::runtime_error(name + " is of another fleet: " + report.fleet);
    } else if (is_gone(report.id)) {
      throw std::runtime_error("--without " + report.id + ": it answers");
    } else if (report.inside) {
      members[report.id] = report;
    }
  }
  for (const auto& [name, report] : all)
    for (const std::string& id : report.roster) silent.try_emplace(id, name + " knows it");
  std::vector<std::string> missing;
  for (const auto& [id, why] : silent) {
    const auto answered = [&, &id = id](const auto& each) { return each.second.id == id; };
    const bool foreign =
        there.members.contains(id) && there.members.at(id).entry.foreign.has_value();
    if (!is_gone(id) && !foreign && std::none_of(all.begin(), all.end(), answered))
      missing.push_back(id + " (" + why + ")");
  }
  if (!missing.empty())
    throw std::runtime_error(
        "these routers do not say which ring they have: " + listed(missing, "; ") +
        ". Start them; or name their status ports, --member HOST:PORT; or where one is gone for "
        "good, --without ID");
  if (members.empty())
    throw std::runtime_error(
        "no router is known: run this on the host of one, with its configuration, or name their "
        "status ports: --member HOST:PORT");
  return members;
}

/// A router that joins learns from the service which vnodes are blocked.
void require_set(FleetCommand& command, const std::string& vnodes) {
  try {
    static_cast<void>(command.service().image(vnodes));
  } catch (const fleet::OperatorError& error) {
    throw std::runtime_error(
        "the service has lost which vnodes are blocked, and a router that "
        "joins could not learn it (" +
        std::string(error.what()) + "); --unblock ends all blocks");
  }
}

fleet::Blocks blocks_of(FleetCommand& command, const MemberReports& members,
                        const std::optional<Record>& record) {
  fleet::Blocks blocks = blocks_by(members, record);
  for (const fleet::Block& block : blocks) require_set(command, block.vnodes);
  return blocks;
}

Said said_by(const FleetOptions& given) {
  if (given.committed == given.not_committed) return Said::nothing;
  return given.committed ? Said::committed : Said::not_committed;
}

std::string ids_of(const MemberReports& members) {
  std::string text;
  for (const auto& [id, report] : members) text += (text.empty() ? "" : ", ") + id;
  return text;
}

std::shared_ptr<const ring::Ring> stored(const std::string& store, const std::string& digest) {
  if (!ring::GenerationStore::is_store(store)) return nullptr;
  const ring::GenerationStore rings(store, load_in_child().load);
  const auto there = rings.newest(digest);
  return there ? rings.load(*there).ring : nullptr;
}

fleet::Geometry geometry_for(FleetCommand& command, const ring::Ring* ring) {
  if (ring != nullptr) return fleet::geometry_of(*ring);
  try {
    return command.service().geometry();
  } catch (const fleet::OperatorError& error) {
    throw std::runtime_error(std::string(error.what()) +
                             ", and this host has no store with the ring; run this on the host of "
                             "a router, with its configuration");
  }
}

}  // namespace

FleetExit reinit(FleetCommand& command, const FleetOptions& given) {
  const config::Config& config = command.config();
  const fleet::Remains there = command.service().remains();
  const fleet::Roster roster = roster_of(there, config.ring_location);
  const MemberReports members =
      members_of(command.ask(roster, given.members), there, command.name(), given.without);
  fleet::Refounding anew;
  fleet::State& state = anew.state;
  std::uint64_t seen = 0;
  bool all_have_seen = true;
  for (const auto& [id, report] : members) {
    anew.members[id] = report.entry;
    seen = std::max(seen, report.seq);
    state.highest = std::max({state.highest, report.highest, report.entry.ring.generation});
    all_have_seen = all_have_seen && report.highest > 0;
  }
  for (const auto& [id, entry] : roster)
    if (entry.foreign) anew.members[id] = entry;
  const bool whole = there.state && there.state->seq >= seen;
  if (whole && there.problem.empty())
    throw std::runtime_error(
        "nothing is to be written anew: the service has all that the routers have seen");
  if (whole && there.state->change)
    throw std::runtime_error(
        "a change is open, and the service has all of it: wait until it is "
        "closed (" +
        there.problem + ")");
  const auto record = open_record(members);
  const bool committed = record && was_committed(*record, members, said_by(given));
  if (record) {
    state.highest = std::max(state.highest, record->next.generation);
    state.ring = committed ? record->next : record->base;
  } else {
    state.ring = ring_by(members, given.generation);
  }
  // A number that was given to a ring which did not come into force is known to those alone who
  // have seen the state.
  if (!all_have_seen || !given.without.empty()) state.highest += kSeqAhead;
  if (!given.all) anew.blocks = blocks_of(command, members, record);
  if (record && record->kind == fleet::Kind::block && committed && !given.all) {
    require_set(command, record->vnodes);
    anew.blocks.push_back({record->token, record->vnodes, record->waits, FleetCommand::who(), ""});
  }
  state.by = new_token();
  state.seq = std::max(seen, there.highest_seq) + kSeqAhead;
  if (there.state) state.highest = std::max(state.highest, there.state->highest);
  state.last = fleet::Closed{record ? record->token : state.by, !record || committed,
                             record ? std::max(record->lease, kLease) : kLease};
  anew.note =
      "written anew, by " + FleetCommand::who() + (given.why.empty() ? "" : " (" + given.why + ")");
  const auto ring = stored(config.ring_location, state.ring.digest);
  command.service().refound(there, anew, geometry_for(command, ring.get()));
  if (ring != nullptr) {
    const fleet::Image image = fleet::image_of(*ring);
    if (image.bytes.size() <= config.fleet.image_bytes_max) command.service().put(image);
  }
  if (given.json)
    std::printf("%s\n", nlohmann::ordered_json{{"fleet", command.name()},
                                               {"seq", state.seq},
                                               {"generation", state.ring.generation},
                                               {"digest", state.ring.digest},
                                               {"members", members.size()}}
                            .dump()
                            .c_str());
  else
    std::printf("fleet %s is written anew, of ring %llu %s, with %s\n", command.name().c_str(),
                static_cast<unsigned long long>(state.ring.generation), state.ring.digest.c_str(),
                ids_of(members).c_str());
  return FleetExit::done;
}

}  // namespace router::cli::fleet_acts
