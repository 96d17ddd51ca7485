// What a router does about a plan of resharding whose coordinator is silent: it reads the plan's
// row itself.
#include <algorithm>

#include <boost/asio/post.hpp>

#include "ring/generation_store.hpp"
#include "router/control/ring_control.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

constexpr std::chrono::milliseconds kFollowEach{
    200};  ///< well below the margin that coordinators wait behind a lease
constexpr std::chrono::milliseconds kOpenEach{1'000};
constexpr std::chrono::milliseconds kFailedAgain{1'000};
constexpr std::chrono::milliseconds kLeaseUnknown{500};  ///< of a record that does not say

}  // namespace

/// The database that a pnode's rows are in; without a URL nobody can be asked.
PlanQuestion RingControl::question(const PendingRing& ring, const std::string& pnode) const {
  const std::string token = Holder::parse(ring.token).token;
  for (const config::Shard& shard : config_->shards)
    if (shard.pnode == pnode && shard.backend == config::Backend::postgres)
      return {shard.url, ring.plan, token, ring.digest};
  return {"", ring.plan, token, ring.digest};
}

/// Before anybody is served: the plan may have been decided while this router was down, and reads
/// by the old ring would go back in time. Until its database answers, its vnodes are not served.
void RingControl::read_left_pending(const std::string& record) {
  auto left = PendingRing::parse(record);
  if (!left) return;
  if (left->generation == snapshot().generation && left->digest == snapshot().ring->digest()) {
    tidy_store();  // it came into force, and the record of that was left
    update_status([](ControlStatus& status) { status.left_pending.clear(); });
    return;
  }
  if (left->lease <= std::chrono::milliseconds(0)) left->lease = kLeaseUnknown;
  pending_.found(*std::move(left));
  if (!pending_.ring()->of_plan()) return;
  serve_under_lease(*pending_.ring(), std::chrono::nanoseconds(0));
  const auto asked = lease_clock();
  plan_answered(read_plan_standing(question(*pending_.ring(), pending_.ring()->from)), asked);
}

void RingControl::follow_plan() {
  if (!pending_.ring() || !pending_.ring()->of_plan() || following_) return;
  following_ = true;
  if (reader_ == nullptr) reader_ = std::make_unique<PlanReader>();
  reader_->ask(question(*pending_.ring(), pending_.ring()->from),
               [this, about = *pending_.ring(), asked = lease_clock()](PlanStanding standing) {
                 boost::asio::post(loop_, [this, about, asked, standing] {
                   following_ = false;
                   if (!pending_.ring()) return;
                   // Another plan's answer, or one about another ring of this plan, says nothing of
                   // this.
                   if (pending_.ring()->token != about.token ||
                       pending_.ring()->plan != about.plan ||
                       pending_.ring()->digest != about.digest)
                     return follow_plan();
                   plan_answered(standing, asked);
                 });
               });
}

/// What a row says holds from when it was asked for: a plan that had not been committed by then
/// leaves its vnodes where they are for a lease's time, since its coordinator counts that from the
/// commit.
void RingControl::plan_answered(PlanStanding standing, std::chrono::nanoseconds asked) {
  const bool undecided = standing == PlanStanding::open || standing == PlanStanding::fenced;
  if (undecided && snapshot().leased != nullptr) {
    const auto& lease = snapshot().leased->lease;
    lease->set_end(std::max(lease->end(), asked + pending_.ring()->lease));
  }
  if (pending_.lease_runs(lease_clock())) return;  // a coordinator that is there says all
  try {
    plan_stands(standing);
  } catch (const std::exception& error) {
    log_.error("what a plan of resharding has come to can't be followed; it is tried again",
               {{"plan", pending_.ring() ? pending_.ring()->plan : ""}, {"reason", error.what()}});
    follow_again(kFailedAgain);
  }
}

void RingControl::plan_stands(PlanStanding standing) {
  const PendingRing& ring = *pending_.ring();
  const bool news = standing_ != standing;
  standing_ = standing;
  switch (standing) {
    case PlanStanding::aborted: return plan_ended();
    case PlanStanding::decided: return plan_decided();
    case PlanStanding::open:
      open_vnodes(ring.vnodes, "their plan has not fenced them");
      return follow_again(std::min(kOpenEach, ring.lease / 2));
    case PlanStanding::none:
    case PlanStanding::other_ring:
      if (news)
        log_.error(standing == PlanStanding::none
                       ? "a plan's ring is pending here, and its database does not know the plan; "
                         "its vnodes are not served until its coordinator is back, or `admin "
                         "abandon` is told its token"
                       : "a plan is decided with another ring than the one that is pending here; "
                         "its vnodes are not served until its coordinator gives them away",
                   {{"plan", ring.plan}, {"pnode", ring.from}, {"ringDigest", ring.digest}});
      return follow_again(kOpenEach);
    case PlanStanding::unknown:
    case PlanStanding::fenced:
    case PlanStanding::committed: return follow_again(kFollowEach);
  }
}

void RingControl::follow_again(std::chrono::milliseconds pause) {
  follow_timer_.expires_after(pause);
  follow_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !pending_.lease_runs(lease_clock())) follow_plan();
  });
}

void RingControl::plan_ended() {
  const PendingRing ring = *pending_.ring();
  log_.info("a plan of resharding has ended; its ring is dropped", {{"plan", ring.plan}});
  withdraw();
  open_vnodes(ring.vnodes, "their plan has ended");
}

/// The commit can't be taken back: the next ring is in force, whoever says so. What was blocked
/// stays so until the target takes writes.
void RingControl::plan_decided() {
  const PendingRing ring = *pending_.ring();
  ring::GenerationStore rings = store("activate");
  const auto generation = rings.find(ring.generation);
  if (!generation || generation->digest != ring.digest)
    throw Refusal("failed", "it is committed, and its ring, generation " +
                                std::to_string(ring.generation) + ", is not in the store");
  log_.warn("a plan of resharding is committed; its ring comes into force without its coordinator",
            {{"plan", ring.plan}});
  const auto loaded = ring::GenerationStore::load(*generation);
  Prepared prepared = prepare_for(*config_, {loaded.ring, generation->number});
  rings.activate(*generation);
  if (started_)
    put_in_force(std::move(prepared), ring.vnodes.size());
  else
    publisher_.begin(std::move(prepared.publication), std::move(prepared.opened));
  staged_.reset();
  pending_.end();
  blocked_under_lease_ = {};
  tidy_store();
  update_status([](ControlStatus& status) {
    status.prepared.reset();
    status.left_pending.clear();
  });
  awaited_ = ring;
  await_target();
}

bool RingControl::awaits_target() const {
  return awaited_ &&
         !snapshot().gate->held.united(snapshot().gate->refused).common(awaited_->vnodes).empty();
}

/// By a ring that is neither the one before the plan nor the one after it, finds leave the moved
/// rows out of both shards until the target's row is committed: that is when vnodes are unblocked.
std::optional<Refusal> RingControl::against_awaited(const std::string& what) const {
  if (!awaits_target()) return std::nullopt;
  return Refusal("prepared", what + ": plan " + awaited_->plan +
                                 " has just moved vnodes, which are blocked until \"" +
                                 awaited_->to + "\" takes writes to them");
}

/// Its coordinator unblocks them, long before this, if it lives.
void RingControl::await_later() {
  await_timer_.expires_after(kOpenEach);
  await_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) await_target();
  });
}

void RingControl::await_target() {
  if (!awaited_ || asking_target_) return;
  if (!awaits_target()) {
    awaited_.reset();
    return;
  }
  asking_target_ = true;
  if (reader_ == nullptr) reader_ = std::make_unique<PlanReader>();
  reader_->ask_open(question(*awaited_, awaited_->to), [this, plan = awaited_->plan](bool open) {
    boost::asio::post(loop_, [this, plan, open] {
      asking_target_ = false;
      if (!awaited_ || awaited_->plan != plan) return await_target();
      if (open) {
        const ring::VnodeSet vnodes = awaited_->vnodes;
        awaited_.reset();
        return open_vnodes(vnodes, "their plan is done");
      }
      await_timer_.expires_after(kFollowEach);
      await_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) await_target();
      });
    });
  });
}

void RingControl::open_vnodes(const ring::VnodeSet& vnodes, const char* why) {
  if (!started_) return;
  Gate gate = *snapshot().gate;
  const ring::VnodeSet blocked = gate.held.united(gate.refused).common(vnodes);
  if (blocked.empty()) return;
  gate.held = gate.held.without(blocked);
  gate.refused = gate.refused.without(blocked);
  blocked_under_lease_ = blocked_under_lease_.without(blocked);
  set_gate(std::move(gate));
  if (!awaits_target()) awaited_.reset();
  log_.warn("vnodes unblocked without their coordinator",
            {{"vnodes", blocked.size()}, {"reason", why}});
}

}  // namespace router
