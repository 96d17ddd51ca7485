// What a plan asks its fleet, beside a cutover.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "backends/postgres/wire/application_name.hpp"
#include "reshard/database.hpp"
#include "reshard/fleet/fleet_routers.hpp"
#include "ring/ring_edit.hpp"

namespace reshard {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSilent = "its process does not show itself in the fleet";

}  // namespace

/// All members live, and have the ring in force; and nothing changes it.
void FleetRouters::require_together(const Look& look) const {
  const fleet::State& state = look.view.state;
  if (state.change)
    throw Waiting(named() + ": another change is open: " + state.change->why + " (" +
                  state.change->coordinator + ")");
  if (look.view.members.empty()) throw Waiting(named() + " has no members");
  for (const auto& [id, member] : look.view.members) {
    const std::string router = "router " + id;
    if (!member.problem.empty()) throw Waiting(router + ": " + member.problem);
    if (member.lives.empty()) throw Waiting(router + ": " + kSilent);
    if (member.entry.ring != state.ring)
      throw Waiting(router + " is on ring " + std::to_string(member.entry.ring.generation) +
                    ", the fleet on " + std::to_string(state.ring.generation));
  }
}

/// One answer for all: their ring is one. A read that is under way by an older one began before all
/// were seen to have this one.
std::vector<Ownership> FleetRouters::ownership(const std::string& pnode,
                                               const ring::VnodeSet& vnodes,
                                               std::chrono::milliseconds limit) {
  static_cast<void>(settled(limit));
  Look now = look();
  end_taken_back(now, limit);
  Ownership owned;
  owned.router = named();
  owned.in_fleet = true;
  try {
    require_together(now);
    if (!together_ || together_->first != now.view.state.ring)
      together_ = {now.view.state.ring, Clock::now()};
    owned.since = together_->second;
  } catch (const Waiting& waiting) {
    together_.reset();
    owned.problem = waiting.what();
  }
  const ring::VnodeSet others = not_owned_by(*now.ring, vnodes, pnode);
  owned.owned = vnodes.without(others);
  owned.all = others.empty();
  owned.none = owned.owned.empty();
  if (!owned.all)
    owned.other = "vnode " + std::to_string(others.ranges().front().first) + " belongs to another";
  const auto index = now.ring->pnode_named(pnode);
  owned.pnode_vnodes = index ? now.ring->vnodes_of(*index).size() : 0;
  return {owned};
}

/// What each member says to the next ring: a change that is opened, prepared by all, and abandoned.
/// Vnodes are served meanwhile as ever.
std::vector<RouterAnswer> FleetRouters::try_prepare(std::chrono::milliseconds limit) {
  std::vector<RouterAnswer> answers;
  const auto one = [&](const std::string& code, const std::string& message) {
    RouterAnswer answer = missing(message);
    answer.answered = !code.empty();
    answer.code = code;
    return std::vector<RouterAnswer>{answer};
  };
  try {
    const Look now = look();
    if (now.view.members.empty()) return one("", "it has no members");
    const auto next = next_of(*now.ring);
    const BoundRings rings{now.view.state.ring.digest, next->digest()};
    for (const auto& [id, member] : now.view.members) {
      RouterAnswer answer;
      answer.router = id;
      answer.answered = answer.ok = !member.lives.empty();
      if (!answer.ok) answer.message = kSilent;
      answer.result =
          Json{{"baseDigest", rings.before},
               {"digest", rings.after},
               {"holdMs", member.entry.hold.count()},
               {"application", backends::postgres::application_of_member(plan_.fleet->name, id)}}
              .dump();
      answers.push_back(std::move(answer));
    }
    if (!std::all_of(answers.begin(), answers.end(),
                     [](const RouterAnswer& answer) { return answer.ok; }))
      return answers;
    put(*next);
    Cutover& cutover = begin(rings, fleet::Aim::prepare, limit);
    const Cutover::Came came = cutover.bring(fleet::Aim::prepare, limit);
    const std::string why =
        came == Cutover::Came::ended ? cutover.ending().why : cutover.waits_for();
    for (const std::string& problem : close(fleet::Aim::abandoned, limit).problems)
      return one("", problem);
    if (came == Cutover::Came::reached) return answers;
    if (came == Cutover::Came::ended) return one("", why);
    for (RouterAnswer& answer : answers) {
      const bool refuses = came == Cutover::Came::refused && why.starts_with(answer.router + ": ");
      const bool silent =
          came == Cutover::Came::late && why.find(answer.router) != std::string::npos;
      if (!refuses && !silent) continue;
      answer.ok = false;
      answer.answered = refuses;
      answer.code = refuses ? "refused" : "";
      answer.message = refuses ? why.substr(answer.router.size() + 2) : why;
    }
    return answers;
  } catch (const Stuck& moved) {
    return one("not_owner", moved.what());
  } catch (const ActFailed& failed) {
    return one("", failed.what());
  }
}

}  // namespace reshard
