// A fleet's state written anew, after the service was lost or restored to an earlier day.
#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "ring/generation_store.hpp"
#include "router/cli/commands.hpp"
#include "router/cli/fleet_acts.hpp"
#include "router/cli/fleet_reports.hpp"
#include "router/cli/fleet_show.hpp"
#include "router/control/coordinator_lease.hpp"
#include "router/member/roster_keeper.hpp"

namespace router::cli::fleet_acts {
namespace {

using fleet::Record;

constexpr std::uint64_t kSeqAhead = 1'000;  // of what members that do not answer may have seen
constexpr std::chrono::milliseconds kLease{4'000};

std::string listed(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : "; ") + one;
  return text;
}

/// As the service has it, and as this host's router has seen it last.
fleet::Roster roster_of(const fleet::Remains& there, const std::string& store) {
  fleet::Roster roster = kept_roster(store);
  for (const auto& [id, member] : there.members)
    if (member.problem.empty()) roster[id] = member.entry;
  return roster;
}

/// Who takes part: each router that has been a member must be known to be gone, or say what it has.
MemberReports members_of(const MemberReports& all, const std::string& fleet,
                         const std::vector<std::string>& gone) {
  MemberReports members;
  std::vector<std::string> silent;
  for (const auto& [name, report] : all) {
    if (!report.problem.empty()) {
      if (std::find(gone.begin(), gone.end(), name) == gone.end())
        silent.push_back(name + " (" + report.problem + ")");
    } else if (report.fleet != fleet) {
      throw std::runtime_error(name + " is of another fleet: " + report.fleet);
    } else if (std::find(gone.begin(), gone.end(), report.id) != gone.end()) {
      throw std::runtime_error("--without " + report.id + ": it answers");
    } else if (report.inside) {
      members[report.id] = report;
    }
  }
  if (!silent.empty())
    throw std::runtime_error(
        "these routers do not say which ring they have: " + listed(silent) +
        ". Start them; or name their status ports, --member HOST:PORT; or where one is gone for "
        "good, --without ID");
  if (members.empty())
    throw std::runtime_error(
        "no router is known: run this on the host of one, with its configuration, or name their "
        "status ports: --member HOST:PORT");
  return members;
}

/// The change that routers have agreed to, and of which nobody has told them how it was closed.
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

/// Throws where what the person says can't be.
void require_decision(const Record& record, const MemberReports& members,
                      const FleetOptions& given) {
  if (given.committed == given.not_committed)
    throw std::runtime_error("a change is open, " + record.token +
                             ": was it committed? --committed, or --not-committed");
  for (const auto& [id, report] : members) {
    const bool activated = report.record && report.record->phase == Record::Phase::activated;
    if (given.not_committed && activated)
      throw std::runtime_error(id + " has put the change " + record.token +
                               " in force: it is committed");
    const bool agreed = report.record ? report.record->phase != Record::Phase::prepared
                                      : report.entry.ring == record.next;
    if (given.committed && !agreed && record.kind != fleet::Kind::block)
      throw std::runtime_error(id + " has not agreed to the change " + record.token +
                               ": it can't have been committed");
  }
}

fleet::RingName ring_of(const MemberReports& members, std::uint64_t generation) {
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
                             listed(said));
  throw std::runtime_error("the routers have different rings: " + listed(said) +
                           ". Which is to be in force? --ring GENERATION");
}

/// As all members have them on their disks.
fleet::Blocks blocks_of(FleetCommand& command, const MemberReports& members) {
  const fleet::Blocks& blocks = members.begin()->second.blocks;
  for (const auto& [id, report] : members)
    if (report.blocks != blocks)
      throw std::runtime_error("routers block different vnodes; --unblock ends all blocks");
  for (const fleet::Block& block : blocks) try {
      static_cast<void>(command.service().image(block.vnodes));
    } catch (const fleet::OperatorError& error) {
      throw std::runtime_error(
          "the service has lost which vnodes are blocked, and a router that "
          "joins could not learn it (" +
          std::string(error.what()) + "); --unblock ends all blocks");
    }
  return blocks;
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
      members_of(command.ask(roster, given.members), command.name(), given.without);
  fleet::Refounding anew;
  fleet::State& state = anew.state;
  std::uint64_t seen = 0;
  for (const auto& [id, report] : members) {
    anew.members[id] = report.entry;
    seen = std::max(seen, report.seq);
    state.highest = std::max({state.highest, report.highest, report.entry.ring.generation});
  }
  for (const auto& [id, entry] : roster)
    if (entry.foreign) anew.members[id] = entry;
  if (there.problem.empty() && there.state && there.state->seq >= seen)
    throw std::runtime_error(
        "nothing is to be written anew: the service has all that the routers have seen");
  const auto record = open_record(members);
  if (record) {
    require_decision(*record, members, given);
    state.highest = std::max(state.highest, record->next.generation);
    state.ring = given.committed ? record->next : record->base;
  } else {
    state.ring = ring_of(members, given.generation);
  }
  if (!given.all) anew.blocks = blocks_of(command, members);
  if (record && record->kind == fleet::Kind::block && given.committed)
    anew.blocks.push_back({record->token, record->vnodes, record->waits, FleetCommand::who(), ""});
  state.by = new_token();
  state.seq = std::max(seen, there.highest_seq) + kSeqAhead;
  if (there.state) state.highest = std::max(state.highest, there.state->highest);
  state.last = fleet::Closed{record ? record->token : state.by, !record || given.committed, kLease};
  anew.note =
      "written anew, by " + FleetCommand::who() + (given.why.empty() ? "" : " (" + given.why + ")");
  const auto ring = stored(config.ring_location, state.ring.digest);
  command.service().refound(anew, geometry_for(command, ring.get()));
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
    std::printf("fleet %s is written anew, of ring %llu %s, with %zu routers\n",
                command.name().c_str(), static_cast<unsigned long long>(state.ring.generation),
                state.ring.digest.c_str(), members.size());
  return FleetExit::done;
}

}  // namespace router::cli::fleet_acts
