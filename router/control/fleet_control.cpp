// What a fleet has its member do: rings under the fleet's numbers, and what of them may be served.
#include "ring/generation_store.hpp"
#include "router/control/background.hpp"
#include "router/control/checks.hpp"
#include "router/control/ring_control.hpp"
#include "router/control/stores.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

/// What the store has under another number, as after a rollback; null: nothing that can be read.
std::shared_ptr<const ring::Ring> known_ring(const ring::GenerationStore& rings,
                                             const std::string& digest, Log& log) try {
  const auto there = rings.newest(digest);
  return there ? rings.load(*there).ring : nullptr;
} catch (const std::exception& error) {
  log.warn("an older generation can't be used", {{"ringDigest", digest}, {"reason", error.what()}});
  return nullptr;
}

}  // namespace

/// On the files' thread.
RingControl::FleetStagedRing RingControl::staged_for_fleet(
    const FleetRing& wanted, const config::Config& config,
    const std::shared_ptr<const ring::Ring>& now) {
  FleetStagedRing staged;
  in_background([&] {
    ring::GenerationStore rings = store_of(config, "fleet", elsewhere_);
    ring::LoadedGeneration loaded;
    if (const auto there = rings.find(wanted.number, wanted.digest)) {
      loaded = rings.load(*there);
    } else {
      auto next = now->digest() == wanted.digest ? now : known_ring(rings, wanted.digest, log_);
      if (next == nullptr && !wanted.make)
        throw Refusal("not_here", "the store has no generation " + std::to_string(wanted.number));
      if (next == nullptr) next = wanted.make();
      require_digest("the ring's digest", next->digest(), wanted.digest);
      static_cast<void>(prepare(config, {next, wanted.number}, *sources_, log_));
      loaded = stage_numbered(rings, *now, *next, wanted.number);
    }
    staged.generation = loaded.generation;
    staged.what.changed = all_changed_between(*now, *loaded.ring);
    staged.what.moves = !moved_between(*now, *loaded.ring).empty();
    staged.prepared = prepare(config, {loaded.ring, wanted.number}, *sources_, log_);
  });
  return staged;
}

void RingControl::fleet_stage(FleetRing ring, Done<FleetStaged> done) {
  Change change;
  change.kind = Change::Kind::fleet;
  change.what = "the fleet's change";
  const auto begin = [this, ring = std::move(ring), done]() -> Work {
    return [this, ring, done, now = config(), before = base_.ring.ring]() -> Finish {
      auto staged = std::make_shared<FleetStagedRing>(staged_for_fleet(ring, *now, before));
      return [this, done, staged] {
        const FleetStaged result = staged->what;
        fleet_staged_ = std::move(*staged);
        under_way_.reset();
        machine_.ended(lease_clock());
        log_.info("the fleet's next ring is staged",
                  {{"generation", fleet_staged_->generation.number},
                   {"ringDigest", fleet_staged_->generation.digest},
                   {"vnodesChanged", result.changed.size()}});
        publish(telling<FleetStaged>(done, result, nullptr));  // its shards are connected
      };
    };
  };
  submit(std::move(change), {begin, done, {}});
}

void RingControl::fleet_activate(FleetRing wanted, Done<RingChange> done) {
  Change change;
  change.kind = Change::Kind::fleet;
  change.what = "the fleet's change";
  const auto begin = [this, wanted = std::move(wanted), done]() -> Work {
    const bool here = fleet_staged_ && fleet_staged_->generation.number == wanted.number &&
                      fleet_staged_->generation.digest == wanted.digest;
    if (here) {
      auto staged = std::make_shared<FleetStagedRing>(*std::exchange(fleet_staged_, std::nullopt));
      return fleet_work(std::move(staged), done);
    }
    if (base_.ring.generation == wanted.number && ring().digest() == wanted.digest)
      return [this, done]() -> Finish {
        return [this, done] {
          under_way_.reset();
          machine_.ended(lease_clock());
          tell_unchanged(done);
        };
      };
    return [this, wanted, done, now = config(), before = base_.ring.ring]() -> Finish {
      auto staged = std::make_shared<FleetStagedRing>(staged_for_fleet(wanted, *now, before));
      return [this, done, staged] { run(fleet_work(staged, done)); };
    };
  };
  submit(std::move(change), {begin, done, {}});
}

/// The rename is what a crash leaves done or not done. On the control's thread.
RingControl::Work RingControl::fleet_work(std::shared_ptr<FleetStagedRing> staged,
                                          Done<RingChange> done) {
  if (auto refusal =
          machine_.commit(staged->prepared.ring.ring->vnode_count(), staged->generation.digest))
    throw *std::move(refusal);
  return [this, staged, done, now = config()]() -> Finish {
    ring::GenerationStore rings = store_of(*now, "fleet", elsewhere_);
    rings.activate(staged->generation);
    return [this, staged, done, now] {
      put_in_force(std::move(staged->prepared), staged->what.changed.size(), done);
      files_.post([this, now] {  // nobody waits for it
        try {
          ring::GenerationStore all = store_of(*now, "fleet", elsewhere_);
          all.forget_not_below_current();
          all.forget_old();
        } catch (const std::exception& error) {
          log_.warn("the store of rings is not tidied", {{"reason", error.what()}});
        }
      });
    };
  };
}

void RingControl::fleet_withdraw(std::uint64_t number, std::string digest, Done<RingChange> done) {
  Change change;
  change.kind = Change::Kind::fleet;
  change.what = "the fleet's change";
  const auto begin = [this, number, digest = std::move(digest), done]() -> Work {
    return [this, number, digest, done, now = config()]() -> Finish {
      ring::GenerationStore rings = store_of(*now, "fleet", elsewhere_);
      const auto there = rings.find(number, digest);
      if (there && !there->current) rings.drop(*there);
      return [this, done] {
        fleet_staged_.reset();
        under_way_.reset();
        machine_.ended(lease_clock());
        unpublished_ = true;  // shards that were connected for it
        tell_unchanged(done);
      };
    };
  };
  submit(std::move(change), {begin, done, {}});
}

// What is served.

/// Where both say something of a vnode, the stricter holds. What operators have blocked at this
/// router stays theirs: the fleet opens only what is its own.
std::shared_ptr<const Gate> RingControl::gate_with_fleets() const {
  if (fleet_gate_.held.empty() && fleet_gate_.refused.empty()) return gate_published_;
  Gate gate;
  gate.refused = gate_published_->refused.united(fleet_gate_.refused);
  gate.held = gate_published_->held.united(fleet_gate_.held).without(gate.refused);
  return std::make_shared<const Gate>(std::move(gate));
}

/// The lease's end alone is one number, which workers read. Where its vnodes are served freely
/// again by the ring that it was about, so is what was planned under it and waits still.
void RingControl::follow_fleet(FleetGate gate, Publisher::Told told) {
  const bool same = gate.held == fleet_gate_.held && gate.refused == fleet_gate_.refused;
  const bool leased = !gate.leased.empty();
  const bool same_lease = leased ? fleet_leased_ != nullptr && fleet_leased_->vnodes == gate.leased
                                 : fleet_leased_ == nullptr;
  fleet_gate_ = std::move(gate);
  if (fleet_leased_ != nullptr && same_lease) fleet_leased_->lease->set_end(fleet_gate_.until);
  if (same && same_lease) return publisher_.await(std::move(told));
  if (!same_lease) {
    if (fleet_leased_ != nullptr && !leased)
      fleet_leased_->lease->set_end(std::chrono::nanoseconds::max());
    fleet_leased_ =
        leased ? LeasedVnodes::of(ring(), fleet_gate_.leased, fleet_gate_.until) : nullptr;
  }
  publish(std::move(told));
}

void RingControl::fleet_serve(FleetGate gate, Done<Published> done) {
  attempt<Published>(done, [this, done, gate = std::move(gate)]() mutable {
    follow_fleet(std::move(gate),
                 telling<Published>(done, {}, [](Published& said, const Published& published) {
                   said = published;
                 }));
  });
}

}  // namespace router
