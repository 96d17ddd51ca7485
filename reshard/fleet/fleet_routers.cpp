// A plan's cutover as a change of its fleet's.
#include "reshard/fleet/fleet_routers.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "coordination/credentials.hpp"
#include "coordination/zookeeper_session.hpp"
#include "reshard/database.hpp"
#include "ring/ring_edit.hpp"

namespace reshard {
namespace {

using fleet::Aim;

constexpr std::chrono::seconds kOpenLimit{10};  ///< for another change of the fleet's to be closed
constexpr std::chrono::seconds kAnewLimit{30};
constexpr int kTriesMost = 3;

fleet::MakeSession sessions_of(const PlanFleet& fleet, boost::asio::io_context& loop) {
  coordination::ZooKeeperOptions options;
  options.servers = fleet.zookeeper;
  options.session = std::chrono::milliseconds(fleet.session_ms);
  coordination::read_credentials(fleet.credentials_file, options);
  return [options = std::move(options), &loop]() -> std::unique_ptr<coordination::Session> {
    return std::make_unique<coordination::ZooKeeperSession>(loop, options);
  };
}

}  // namespace

FleetRouters::FleetRouters(Plan plan)
    : plan_(std::move(plan)), paths_(plan_.fleet->name),
      session_(sessions_of(*plan_.fleet, loop_)) {}

FleetRouters::~FleetRouters() = default;

std::vector<std::string> FleetRouters::names() const { return {named()}; }

/// A session that was lost since it was used last is made anew, once.
template <typename Ask>
auto FleetRouters::asked(Ask ask) {
  for (;;) {
    const bool is_new = service_ == nullptr;
    try {
      if (is_new)
        service_ = std::make_unique<fleet::Operator>(loop_, session_, paths_, kRouterLimit);
      return ask(*service_);
    } catch (const fleet::OperatorError& error) {
      service_.reset();
      if (is_new) throw Waiting(named() + ": " + error.what());
    } catch (const std::invalid_argument& error) {
      throw ActFailed(named() + ": " + error.what());
    }
  }
}

fleet::FleetView FleetRouters::view() {
  return asked([](fleet::Operator& service) { return service.look(); });
}

FleetRouters::Look FleetRouters::look() {
  return asked([this](fleet::Operator& service) {
    Look look{service.look(), nullptr};
    const std::string& digest = look.view.state.ring.digest;
    if (ring_ == nullptr || ring_->digest() != digest)
      ring_ = fleet::ring_from(service.image(digest), service.geometry());
    look.ring = ring_;
    return look;
  });
}

/// So that members can fetch it.
void FleetRouters::put(const ring::Ring& ring) {
  asked([&](fleet::Operator& service) { service.put(fleet::image_of(ring)); });
}

std::shared_ptr<const ring::Ring> FleetRouters::ring() { return look().ring; }

/// Throws Stuck where somebody else has moved vnodes of the plan.
std::shared_ptr<const ring::Ring> FleetRouters::next_of(const ring::Ring& base) const {
  const ring::VnodeSet others = not_owned_by(base, plan_.vnodes, plan_.from.pnode);
  if (!others.empty())
    throw Stuck(named() + ": somebody else has moved vnodes of the plan: " +
                std::to_string(others.size()) + " of them are not " + plan_.from.pnode + "'s");
  return remapped(base, plan_.vnodes, plan_.to.pnode);
}

// A change of the fleet's.

Cutover& FleetRouters::begin(const BoundRings& rings, Aim aim, std::chrono::milliseconds limit) {
  return begin({plan_.number, plan_.token, plan_.from.pnode, plan_.to.pnode}, rings, aim, limit);
}

Cutover& FleetRouters::begin(const fleet::PlanName& plan, const BoundRings& rings, Aim aim,
                             std::chrono::milliseconds limit) {
  fleet::CoordinatorOptions options;
  options.token = make_token();
  options.who = this_author();
  options.why = "plan " + plan_.name() + ": " + std::to_string(plan_.vnodes.size()) +
                " vnodes from " + plan_.from.pnode + " to " + plan_.to.pnode;
  options.lease = std::chrono::milliseconds(plan_.options.lease_ms);
  options.prepare_limit = limit;
  options.open_limit = std::min(limit, std::chrono::milliseconds(kOpenLimit));
  cutover_ =
      std::make_unique<Cutover>(loop_, session_, paths_, std::move(options),
                                fleet::intent::Cutover{plan, rings.after, rings.before}, aim);
  return *cutover_;
}

/// The plan that this one takes back is cut over, and its coordinator could not tell the fleet.
void FleetRouters::end_taken_back(Look& look, std::chrono::milliseconds limit) {
  const auto& open = look.view.state.change;
  if (plan_.reverts == 0 || !open || !open->plan || open->plan->number != plan_.reverts) return;
  Cutover& cutover = begin(*open->plan, {}, Aim::activate, limit);
  static_cast<void>(
      cutover.bring(Aim::activate, open->lease + std::chrono::milliseconds(kLeaseMargin)));
  if (cutover.bring(Aim::committed, limit) != Cutover::Came::ended)
    throw Waiting(named() + ": " + cutover.waits_for());
  look = this->look();
}

/// Of a coordinator before this one, whose cutover was backed out, a change may be there still.
Rehearsal FleetRouters::rehearse(std::chrono::milliseconds limit) {
  if (!settled(limit)) throw Waiting(named() + ": " + cutover_->waits_for());
  Look now = look();
  end_taken_back(now, limit);
  if (const auto& open = now.view.state.change;
      open && open->plan && open->plan->token == plan_.token) {
    for (const std::string& problem : close(Aim::abandoned, limit).problems) throw Waiting(problem);
    now = look();
  }
  require_together(now);
  Rehearsal rehearsal{{now.view.state.ring.digest, next_of(*now.ring)->digest()}, 0};
  for (const auto& [id, member] : now.view.members) {
    const auto hold = static_cast<std::uint64_t>(member.entry.hold.count());
    if (hold > 0 && (rehearsal.hold_ms == 0 || hold < rehearsal.hold_ms)) rehearsal.hold_ms = hold;
  }
  return rehearsal;
}

/// Where another ring came into force, or another change is open, it is bound again.
bool FleetRouters::prepare(const BoundRings& rings, std::chrono::milliseconds limit) {
  const Look now = look();
  if (now.view.state.ring.digest != rings.before) return false;
  const auto next = next_of(*now.ring);
  put(*next);
  Cutover& cutover = begin(rings, Aim::prepare, limit);
  const Cutover::Came came = cutover.bring(Aim::prepare, limit);
  if (came == Cutover::Came::reached) return true;
  const bool not_opened =
      came == Cutover::Came::ended && (cutover.ending().kind == fleet::Ending::Kind::abandoned ||
                                       cutover.ending().kind == fleet::Ending::Kind::unreached);
  if (not_opened) return false;
  throw ActFailed(named() + ", prepare: " +
                  (came == Cutover::Came::ended ? cutover.ending().why : cutover.waits_for()));
}

void FleetRouters::block(std::chrono::milliseconds limit) {
  if (cutover_ == nullptr) throw ActFailed(named() + ", block: nothing is prepared");
  const Cutover::Came came = cutover_->bring(Aim::block, limit);
  if (came == Cutover::Came::reached) return;
  throw ActFailed(named() + ", block: " +
                  (came == Cutover::Came::ended ? cutover_->ending().why : cutover_->waits_for()) +
                  " within " + std::to_string(limit.count()) + " ms");
}

RouterAnswer FleetRouters::missing(const std::string& what) const {
  RouterAnswer answer;
  answer.router = named();
  answer.message = what;
  return answer;
}

/// By the ring in force.
bool FleetRouters::has_given() {
  return not_owned_by(*look().ring, plan_.vnodes, plan_.to.pnode).empty();
}

/// The commit is the row's: members' leases began before it, and run out whether or not the service
/// hears of it. Where the change was closed, as committed, by a coordinator before this one, or by
/// a member that it left it to, the ring in force says so.
std::vector<RouterAnswer> FleetRouters::activate(const BoundRings& rings,
                                                 std::chrono::milliseconds limit, bool held,
                                                 const std::function<void()>& confirm) {
  const auto leases_over =
      Clock::now() + std::chrono::milliseconds(plan_.options.lease_ms) + kLeaseMargin;
  if (!is_open()) {
    confirm();
    begin(rings, Aim::activate, limit);
  }
  const Cutover::Came came = cutover_->bring(Aim::activate, limit);
  const bool reached = came == Cutover::Came::reached;
  if (came == Cutover::Came::ended && cutover_->ending().kind == fleet::Ending::Kind::overtaken)
    try {
      if (!has_given()) give_anew(confirm);
      return {};
    } catch (const ActFailed& failed) {
      return {missing(failed.what())};
    }
  // Otherwise its coordinator unblocks the vnodes when it may, which closes it.
  if (!held) owed_ = Owed{Aim::committed, reached ? Clock::now() : leases_over};
  if (!held && reached) static_cast<void>(settled(limit));
  if (reached) return {};
  return {missing(came == Cutover::Came::ended ? cutover_->ending().why : cutover_->waits_for())};
}

/// The row is committed, and the fleet's ring does not say so: somebody has settled the change
/// otherwise (`fleet settle`), and the source refuses its writes since.
void FleetRouters::give_anew(const std::function<void()>& confirm) {
  const Look now = look();
  const auto next = remapped(*now.ring, plan_.vnodes, plan_.to.pnode);
  put(*next);
  confirm();
  Cutover& cutover = begin({now.view.state.ring.digest, next->digest()}, Aim::prepare, kAnewLimit);
  for (const Aim aim : {Aim::prepare, Aim::block, Aim::activate})
    if (cutover.bring(aim, kAnewLimit) != Cutover::Came::reached) {
      const std::string why = cutover.has_ended() ? cutover.ending().why : cutover.waits_for();
      if (aim != Aim::activate) static_cast<void>(close(Aim::abandoned, kRouterLimit));
      throw ActFailed(named() + " is given the vnodes anew: " + why);
    }
}

/// Another coordinator of the plan may have closed it meanwhile; what it has left is taken up.
Released FleetRouters::close(Aim aim, std::chrono::milliseconds limit) {
  Released released;
  for (int tries = 0; tries < kTriesMost; ++tries) {
    if (!is_open()) begin({}, aim, limit);
    if (cutover_->bring(aim, limit) != Cutover::Came::ended) break;
    const fleet::Ending& ending = cutover_->ending();
    if (ending.kind == fleet::Ending::Kind::unreached ||
        ending.kind == fleet::Ending::Kind::refused)
      break;
    owed_.reset();
    const auto& open = cutover_->state().change;
    if (ending.kind != fleet::Ending::Kind::overtaken || !open) return released;
    if (!open->plan || open->plan->token != plan_.token) return released;
  }
  owed_ = Owed{aim, Clock::now()};
  released.unheard = true;
  released.problems.push_back(
      named() + " has not closed its change: " +
      (cutover_->has_ended() ? cutover_->ending().why : cutover_->waits_for()));
  return released;
}

Released FleetRouters::unblock(bool committed, std::chrono::milliseconds limit) {
  return close(committed ? Aim::committed : Aim::abandoned, limit);
}

/// `unblock` has closed it, if it could.
Released FleetRouters::abandon(std::chrono::milliseconds limit) {
  if (!is_open() && !owed_) return {};
  return close(Aim::abandoned, limit);
}

Released FleetRouters::end(bool committed, std::chrono::milliseconds limit) {
  Released released = close(committed ? Aim::committed : Aim::abandoned, limit);
  if (released.unheard) throw std::runtime_error(released.problems.front());
  return released;
}

bool FleetRouters::settled(std::chrono::milliseconds limit) {
  if (!owed_) return true;
  if (Clock::now() < owed_->after) return false;
  return !close(owed_->aim, limit).unheard;
}

}  // namespace reshard
