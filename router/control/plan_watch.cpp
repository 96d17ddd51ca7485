// What a router does about a plan of resharding whose coordinator is silent: it reads the plan's
// row itself.
#include <boost/asio/post.hpp>

#include <nlohmann/json.hpp>

#include "ring/generation_store.hpp"
#include "router/control/ring_control.hpp"
#include "router/log.hpp"

namespace router {
namespace {

constexpr std::chrono::milliseconds kFollowEach{
    200};  ///< well below the margin that coordinators wait behind a lease
constexpr std::chrono::milliseconds kOpenEach{1'000};

}  // namespace

/// The database that a pnode's rows are in; without a URL nobody can be asked.
PlanQuestion RingControl::question(const std::string& pnode) const {
  for (const config::Shard& shard : config_->shards)
    if (shard.pnode == pnode && shard.backend == config::Backend::postgres)
      return {shard.url, followed_->plan, followed_->token};
  return {"", followed_->plan, followed_->token};
}

/// Before anybody is served: the plan may have been decided while this router was down, and reads
/// by the old ring would go back in time. A database that does not answer is asked again while
/// serving.
void RingControl::read_left_pending(const std::string& record) {
  const auto json = nlohmann::json::parse(record, nullptr, false);
  if (!json.is_object() || !json.contains("token")) return;
  followed_ = PlanFollowed{json.value("plan", ""),
                           json.value("token", ""),
                           json.value("from", ""),
                           json.value("to", ""),
                           json.value("digest", ""),
                           json.value("generation", std::uint64_t{0}),
                           ring::VnodeSet::parse(json.value("vnodes", ""))};
  plan_stands(read_plan_standing(question(followed_->from)));
}

void RingControl::follow_plan() {
  if (!followed_ || following_) return;
  following_ = true;
  if (reader_ == nullptr) reader_ = std::make_unique<PlanReader>();
  reader_->ask(question(followed_->from), [this, plan = followed_->plan](PlanStanding standing) {
    boost::asio::post(loop_, [this, plan, standing] {
      following_ = false;
      // Another plan's answer says nothing of this one; a coordinator that is back says all.
      if (!followed_ || followed_->plan != plan || (lease_.out() && !lease_.expired(lease_clock())))
        return;
      plan_stands(standing);
    });
  });
}

void RingControl::plan_stands(PlanStanding standing) {
  switch (standing) {
    case PlanStanding::aborted:
    case PlanStanding::none: {
      const ring::VnodeSet vnodes = followed_->vnodes;
      log_.info("a plan of resharding has ended; its ring is dropped", {{"plan", followed_->plan}});
      if (staged_) {
        withdraw();
        lease_.give_back();
      } else {
        ring::GenerationStore rings = store("abandon");
        rings.set_pending("");
        const auto left = rings.find(followed_->generation);
        if (left && left->digest == followed_->digest && !left->current) rings.drop(*left);
        update_status([](ControlStatus& status) { status.left_pending.clear(); });
      }
      followed_.reset();
      return open_vnodes(vnodes, "their plan has ended");
    }
    case PlanStanding::decided: return plan_decided();
    case PlanStanding::open:
      open_vnodes(followed_->vnodes, "their plan has not fenced them");
      break;
    case PlanStanding::unknown:
    case PlanStanding::fenced:
    case PlanStanding::committed: break;
  }
  follow_timer_.expires_after(standing == PlanStanding::open ? kOpenEach : kFollowEach);
  follow_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && followed_ && (!lease_.out() || lease_.expired(lease_clock()))) follow_plan();
  });
}

/// The commit can't be taken back: the next ring is in force, whoever says so. What was blocked
/// stays so until the target takes writes.
void RingControl::plan_decided() {
  ring::GenerationStore rings = store("activate");
  const auto generation = rings.find(followed_->generation);
  if (!generation || generation->digest != followed_->digest) {
    log_.error("a plan of resharding is committed, and its ring is not in the store",
               {{"plan", followed_->plan}, {"generation", followed_->generation}});
    followed_.reset();
    return;
  }
  log_.warn("a plan of resharding is committed; its ring comes into force without its coordinator",
            {{"plan", followed_->plan}});
  const auto loaded = ring::GenerationStore::load(*generation);
  Prepared prepared = prepare_for(*config_, {loaded.ring, generation->number});
  rings.activate(*generation);
  rings.set_pending("");
  if (started_)
    put_in_force(std::move(prepared), followed_->vnodes.size());
  else
    publisher_.begin(std::move(prepared.publication), std::move(prepared.opened));
  staged_.reset();
  lease_.give_back();
  update_status([](ControlStatus& status) {
    status.prepared.reset();
    status.left_pending.clear();
  });
  await_target();
}

void RingControl::await_target() {
  if (!followed_ || following_) return;
  if (snapshot().gate->held.united(snapshot().gate->refused).common(followed_->vnodes).empty()) {
    followed_.reset();
    return;
  }
  following_ = true;
  if (reader_ == nullptr) reader_ = std::make_unique<PlanReader>();
  reader_->ask_open(question(followed_->to), [this, plan = followed_->plan](bool open) {
    boost::asio::post(loop_, [this, plan, open] {
      following_ = false;
      if (!followed_ || followed_->plan != plan) return;
      if (open) {
        const ring::VnodeSet vnodes = followed_->vnodes;
        followed_.reset();
        return open_vnodes(vnodes, "their plan is done");
      }
      follow_timer_.expires_after(kFollowEach);
      follow_timer_.async_wait([this](const boost::system::error_code& error) {
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
  leased_ = leased_.without(blocked);
  set_gate(std::move(gate));
  log_.warn("vnodes unblocked without their coordinator",
            {{"vnodes", blocked.size()}, {"reason", why}});
}

}  // namespace router
