// A plan's cutover as a change of its fleet's.
#include "reshard/fleet/fleet_routers.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "coordination/credentials.hpp"
#include "coordination/zookeeper_session.hpp"
#include "reshard/database.hpp"

namespace reshard {
namespace {

using fleet::Aim;
using fleet::Ending;

constexpr std::chrono::seconds kOpenLimit{10};  ///< for another change of the fleet's to be closed
/// What stands at `prepare` for longer is closed by members: rows are compared meanwhile.
constexpr std::chrono::minutes kPrepareMost{5};
/// In the block nobody waits for the service beyond that: members go by the rows.
constexpr std::chrono::milliseconds kUnblockWithin{300};
constexpr std::chrono::seconds kAnewLimit{30}, kAnewEach{60}, kAgain{1};
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

std::optional<config::ImageUrl> image_url_of(const PlanFleet& fleet) {
  if (fleet.image_url.empty()) return std::nullopt;
  return config::image_url_from(fleet.image_url);
}

}  // namespace

FleetRouters::FleetRouters(Plan plan)
    : plan_(std::move(plan)), paths_(plan_.fleet->name), session_(sessions_of(*plan_.fleet, loop_)),
      image_url_(image_url_of(*plan_.fleet)) {}

FleetRouters::~FleetRouters() = default;

std::vector<std::string> FleetRouters::names() const { return {named()}; }

/// Each step names the one that it follows; but another coordinator may have had the plan since,
/// and left something open that this one knows nothing of.
void FleetRouters::set_coordinator(std::uint64_t) {
  cutover_.reset();
  settled_.reset();
}

fleet::PlanName FleetRouters::plan_name() const {
  return {plan_.number, plan_.token, plan_.from.pnode, plan_.to.pnode};
}

/// The change is not as far as it is to be.
std::string FleetRouters::why() const {
  if (cutover_ == nullptr) return "the service does not answer";
  return cutover_->has_ended() ? cutover_->ending().why : cutover_->waits_for();
}

RouterAnswer FleetRouters::missing(const std::string& what) const {
  RouterAnswer answer;
  answer.router = named();
  answer.message = what;
  return answer;
}

/// `members_close`: after which they close it where it stands at `prepare`.
std::unique_ptr<Cutover> FleetRouters::cutover_of(const fleet::PlanName& plan,
                                                  const BoundRings& rings, Aim aim,
                                                  std::chrono::milliseconds members_close) {
  fleet::CoordinatorOptions options;
  options.token = make_token();
  options.who = this_author();
  options.why = "plan " + std::to_string(plan.number) + ": " + std::to_string(plan_.vnodes.size()) +
                " vnodes from " + plan.from + " to " + plan.to;
  options.lease = std::chrono::milliseconds(plan_.options.lease_ms);
  options.prepare_limit = members_close;
  options.open_limit = kOpenLimit;
  return std::make_unique<Cutover>(loop_, session_, paths_, std::move(options),
                                   fleet::intent::Cutover{plan, rings.after, rings.before}, aim);
}

Cutover& FleetRouters::begin(const BoundRings& rings, Aim aim,
                             std::chrono::milliseconds members_close) {
  settled_.reset();
  ours_ = aim == Aim::prepare;
  all_activated_ = false;
  leases_over_.reset();
  cutover_ = cutover_of(plan_name(), rings, aim, members_close);
  return *cutover_;
}

// The acts of a cutover, in their order.

Rehearsal FleetRouters::rehearse(std::chrono::milliseconds limit) {
  Look now = look();
  end_taken_back(now, limit);
  require_together(now);
  Rehearsal rehearsal{{now.view.state.ring.digest, next_of(*now.ring)->digest()}, 0};
  for (const auto& [id, member] : now.view.members) {
    const auto hold = static_cast<std::uint64_t>(member.entry.hold.count());
    if (hold > 0 && (rehearsal.hold_ms == 0 || hold < rehearsal.hold_ms)) rehearsal.hold_ms = hold;
  }
  return rehearsal;
}

/// Where another ring came into force, another change is open, or the service is away, it is bound
/// again, which waits for what it needs.
bool FleetRouters::prepare(const BoundRings& rings, std::chrono::milliseconds limit) {
  try {
    const Look now = look();
    if (now.view.state.ring.digest != rings.before) return false;
    put(*now.ring, *next_of(*now.ring));
  } catch (const Waiting&) {
    return false;
  }
  Cutover& cutover = begin(rings, Aim::prepare, kPrepareMost);
  const Cutover::Came came = cutover.bring(Aim::prepare, limit);
  if (came == Cutover::Came::reached) return true;
  if (came == Cutover::Came::ended && (cutover.ending().kind == Ending::Kind::abandoned ||
                                       cutover.ending().kind == Ending::Kind::unreached))
    return false;
  throw ActFailed(named() + ", prepare: " + why());
}

void FleetRouters::block(std::chrono::milliseconds limit) {
  if (cutover_ == nullptr) throw ActFailed(named() + ", block: nothing is prepared");
  if (cutover_->bring(Aim::block, limit) == Cutover::Came::reached) return;
  throw ActFailed(named() + ", block: " + why() + " within " + std::to_string(limit.count()) +
                  " ms");
}

/// The commit is the row's: members' leases began before it, and run out whether or not the service
/// hears of it. That does not hold where the change was closed: then they have none.
std::vector<RouterAnswer> FleetRouters::activate(const BoundRings&, std::chrono::milliseconds limit,
                                                 bool held, const std::function<void()>&) {
  if (!held) {  // of a plan that soaks
    if (settled(true, limit)) return {};
    return {missing(why())};
  }
  if (!is_open()) switch (found(limit)) {
      case Closing::none: return given_anew_in_time();
      case Closing::not_told: return {missing(why())};
      default: break;
    }
  if (!leases_over_)
    leases_over_ = Clock::now() + std::chrono::milliseconds(plan_.options.lease_ms) + kLeaseMargin;
  all_activated_ = cutover_->bring(Aim::activate, limit) == Cutover::Came::reached;
  if (all_activated_) return {};
  return {missing(why())};
}

/// In the block: what is not told at once, members hear from the rows, and the fleet is told later.
Released FleetRouters::unblock(bool committed, std::chrono::milliseconds limit) {
  limit = std::min(limit, kUnblockWithin);
  Released released;
  const Closing closing = close(committed ? Aim::committed : Aim::abandoned, limit);
  if (closing == Closing::done || (!committed && closing == Closing::none)) {
    settled_ = committed;
    return released;
  }
  released.unheard = true;
  released.problems.push_back(named() + (closing == Closing::not_told
                                             ? " has not heard of the cutover's end: " + why()
                                             : " has closed the cutover otherwise"));
  return released;
}

Released FleetRouters::abandon(std::chrono::milliseconds limit) {
  Released released;
  if (settled(false, limit)) return released;
  released.unheard = true;
  released.problems.push_back(named() + " has not closed its change: " + why());
  return released;
}

Released FleetRouters::end(bool committed, std::chrono::milliseconds limit) {
  try_again_ = {};
  if (!settled(committed, limit))
    throw std::runtime_error(named() + " has not closed the plan's change: " + why());
  return {};
}

// What is left open.

/// Looks for a change of the plan's: one that this process opened, or an earlier coordinator.
/// Nothing is written of it before this one is known to be the coordinator still: who has followed
/// it has another version of the state by then, or has not begun.
FleetRouters::Closing FleetRouters::found(std::chrono::milliseconds limit) {
  if (!is_there() || ours_) begin({}, Aim::found, kPrepareMost);
  const Cutover::Came came = cutover_->bring(Aim::found, limit);
  if (came == Cutover::Came::reached) {
    if (confirm_) confirm_();
    ours_ = true;
    return Closing::otherwise;  // than it is to be
  }
  const bool none =
      came == Cutover::Came::ended && cutover_->ending().kind == Ending::Kind::overtaken;
  return none ? Closing::none : Closing::not_told;
}

FleetRouters::Closing FleetRouters::close(Aim aim, std::chrono::milliseconds limit) {
  for (int tries = 0; tries < kTriesMost; ++tries) {
    if (!is_open())
      if (const Closing closing = found(limit); closing != Closing::otherwise) return closing;
    if (cutover_->bring(aim, limit) != Cutover::Came::ended) return Closing::not_told;
    switch (cutover_->ending().kind) {
      case Ending::Kind::committed:
        return aim == Aim::committed ? Closing::done : Closing::otherwise;
      case Ending::Kind::abandoned:
        return aim == Aim::abandoned ? Closing::done : Closing::otherwise;
      case Ending::Kind::unreached:
      case Ending::Kind::refused: return Closing::not_told;
      case Ending::Kind::overtaken: break;  // by a coordinator that is not any more
    }
  }
  return Closing::not_told;
}

bool FleetRouters::settled(bool committed, std::chrono::milliseconds limit) {
  if (settled_ == committed) return true;
  if (Clock::now() < try_again_) return false;
  try {
    const bool done =
        committed ? settle_committed(limit) : close(Aim::abandoned, limit) != Closing::not_told;
    if (done) settled_ = committed;
    return done;
  } catch (const Waiting&) {
    try_again_ = Clock::now() + kAgain;
    return false;
  }
}

/// All have the ring, or nobody serves by a lease that was given before the commit.
bool FleetRouters::settle_committed(std::chrono::milliseconds limit) {
  if (!is_open()) switch (found(limit)) {
      case Closing::none: return given_or_anew();
      case Closing::not_told: return false;
      default: break;
    }
  if (!leases_over_)
    leases_over_ = Clock::now() + std::chrono::milliseconds(plan_.options.lease_ms) + kLeaseMargin;
  if (!all_activated_)
    all_activated_ = cutover_->bring(Aim::activate, limit) == Cutover::Came::reached;
  if (!all_activated_ && Clock::now() < *leases_over_) return false;
  const Closing closing = close(Aim::committed, limit);
  if (closing == Closing::none || closing == Closing::otherwise) return given_or_anew();
  return closing == Closing::done;
}

/// No change of the plan is open: the ring in force says how it was closed.
bool FleetRouters::given_or_anew() {
  if (has_given()) return true;
  try_again_ = Clock::now() + kAnewEach;
  give_anew();
  return true;
}

std::vector<RouterAnswer> FleetRouters::given_anew_in_time() {
  try {
    if (given_or_anew()) return {};
  } catch (const ActFailed& failed) {
    RouterAnswer answer = missing(failed.what());
    answer.unleased = true;
    return {answer};
  }
  return {};
}

/// The row is committed, and the fleet's ring does not say so: somebody has settled the change
/// otherwise (`fleet settle`), and the source refuses its writes since. Throws ActFailed.
void FleetRouters::give_anew() {
  const Look now = look();
  const auto next = given(*now.ring);
  put(*now.ring, *next);
  if (confirm_) confirm_();
  Cutover& cutover = begin({now.view.state.ring.digest, next->digest()}, Aim::prepare, kAnewLimit);
  for (const Aim aim : {Aim::prepare, Aim::block, Aim::activate})
    if (cutover.bring(aim, kAnewLimit) != Cutover::Came::reached) {
      const std::string failure = named() + " is given the vnodes anew: " + why();
      if (aim != Aim::activate) static_cast<void>(close(Aim::abandoned, kRouterLimit));
      throw ActFailed(failure);
    }
  if (close(Aim::committed, kRouterLimit) != Closing::done)
    throw ActFailed(named() + " is given the vnodes anew: " + why());
}

/// The plan that this one takes back is cut over, and its coordinator could not tell the fleet.
void FleetRouters::end_taken_back(Look& look, std::chrono::milliseconds limit) {
  const auto& open = look.view.state.change;
  const bool forward = open && open->plan && plan_.reverts != 0 &&
                       open->plan->token == plan_.reverts_token && !plan_.reverts_token.empty();
  if (!forward || !confirm_) return;
  confirm_();
  const auto cutover = cutover_of(*open->plan, {}, Aim::found, kPrepareMost);
  const auto leases = open->lease + std::chrono::milliseconds(kLeaseMargin);
  if (cutover->bring(Aim::found, limit) == Cutover::Came::reached) {
    static_cast<void>(cutover->bring(Aim::activate, leases));
    static_cast<void>(cutover->bring(Aim::committed, limit));
  }
  if (!cutover->has_ended() || cutover->ending().kind != Ending::Kind::committed)
    throw Waiting(named() + " has not closed the change of plan " + std::to_string(plan_.reverts) +
                  ": " + (cutover->has_ended() ? cutover->ending().why : cutover->waits_for()));
  look = this->look();
}

}  // namespace reshard
