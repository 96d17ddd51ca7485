// What a plan asks its fleet, beside a cutover.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "backends/postgres/wire/application_name.hpp"
#include "reshard/database.hpp"
#include "reshard/fleet/asked.hpp"
#include "reshard/fleet/fleet_routers.hpp"
#include "ring/ring_edit.hpp"

namespace reshard {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kForeign =
    "is no router of ours: it has to be stopped (`fleet acknowledge ID --stopped`), since it can't "
    "hold writes or give vnodes up";
constexpr const char* kSilent = "its process does not show itself in the fleet";

}  // namespace

fleet::FleetView FleetRouters::view() {
  return asked([](fleet::Operator& service) { return service.look(); });
}

FleetRouters::Look FleetRouters::look() {
  Look look{view(), nullptr};
  look.ring = in_force(look.view);
  return look;
}

std::shared_ptr<const ring::Ring> FleetRouters::ring() { return look().ring; }

/// Throws Stuck where somebody else has moved vnodes of the plan.
std::shared_ptr<const ring::Ring> FleetRouters::next_of(const ring::Ring& base) const {
  const ring::VnodeSet others = not_owned_by(base, plan_.vnodes, plan_.from.pnode);
  if (!others.empty())
    throw Stuck(named() + ": somebody else has moved vnodes of the plan: " +
                std::to_string(others.size()) + " of them are not " + plan_.from.pnode + "'s");
  return given(base);
}

std::shared_ptr<const ring::Ring> FleetRouters::given(const ring::Ring& base) const {
  try {
    return remapped(base, plan_.vnodes, plan_.to.pnode);
  } catch (const std::invalid_argument& error) {
    throw Stuck(named() + ": " + error.what());
  }
}

/// By the ring in force.
bool FleetRouters::has_given() {
  return not_owned_by(*look().ring, plan_.vnodes, plan_.to.pnode).empty();
}

/// All members live, and have the ring in force; and nothing changes it.
void FleetRouters::require_together(const Look& look) const {
  const fleet::State& state = look.view.state;
  if (state.change)
    throw Waiting(named() + ": a change is open: " + state.change->why + " (" +
                  state.change->coordinator + ")");
  if (look.view.members.empty()) throw Waiting(named() + " has no members");
  for (const auto& [id, member] : look.view.members) {
    const std::string router = "router " + id;
    if (!member.problem.empty()) throw Waiting(router + ": " + member.problem);
    if (const auto& foreign = member.entry.foreign) {
      if (!foreign->stopped && foreign->digest != state.ring.digest)
        throw Waiting(router + " " + kForeign);
      continue;
    }
    if (member.lives.empty()) throw Waiting(router + ": " + kSilent);
    if (member.entry.ring != state.ring)
      throw Waiting(router + " is on ring " + std::to_string(member.entry.ring.generation) +
                    ", the fleet on " + std::to_string(state.ring.generation));
  }
}

/// One answer for all: their ring is one. A read by an older one was sent before all were seen to
/// have this one, or under the lease of the change that brought it.
std::vector<Ownership> FleetRouters::ownership(const std::string& pnode,
                                               const ring::VnodeSet& vnodes,
                                               std::chrono::milliseconds limit) {
  Look now = look();
  end_taken_back(now, limit);
  Ownership owned;
  owned.router = named();
  owned.in_fleet = true;
  try {
    require_together(now);
    if (!together_ || together_->first != now.view.state.ring)
      together_ = {now.view.state.ring,
                   Clock::now() + (now.view.state.last ? now.view.state.last->lease
                                                       : std::chrono::milliseconds(0))};
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
    if (now.view.state.change)
      return one("prepared", "a change is open: " + now.view.state.change->why);
    const auto next = next_of(*now.ring);
    const BoundRings rings{now.view.state.ring.digest, next->digest()};
    for (const auto& [id, member] : now.view.members) {
      RouterAnswer answer;
      answer.router = id;
      if (member.entry.foreign) {
        if (member.entry.foreign->stopped) continue;
        answer.answered = true;
        answer.code = "foreign";
        answer.message = "it " + std::string(kForeign);
        answers.push_back(std::move(answer));
        continue;
      }
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
    put(*now.ring, *next);
    Cutover& cutover = begin(rings, fleet::Aim::prepare, limit);
    const Cutover::Came came = cutover.bring(fleet::Aim::prepare, limit);
    const std::string what = why(), silent = ", " + cutover.silent() + ",";
    if (close(fleet::Aim::abandoned, limit) == Closing::not_told) return one("", why());
    if (came == Cutover::Came::reached) return answers;
    bool named_any = false;
    for (RouterAnswer& answer : answers) {
      const bool refuses = came == Cutover::Came::refused && what.starts_with(answer.router + ": ");
      const bool is_silent = came == Cutover::Came::late &&
                             silent.find(", " + answer.router + ",") != std::string::npos;
      if (!refuses && !is_silent) continue;
      named_any = true;
      answer.ok = false;
      answer.answered = refuses;
      answer.code = refuses ? "refused" : "";
      answer.message =
          refuses ? what.substr(answer.router.size() + 2)
                  : "it has not prepared the ring within " + std::to_string(limit.count()) + " ms";
    }
    return named_any ? answers : one("", what);
  } catch (const Stuck& moved) {
    return one("not_owner", moved.what());
  } catch (const ActFailed& failed) {
    return one("", failed.what());
  }
}

}  // namespace reshard
