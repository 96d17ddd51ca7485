// A change of ring in two phases, under a coordinator's lease.
#include "ring/generation_store.hpp"
#include "router/control/background.hpp"
#include "router/control/checks.hpp"
#include "router/control/ring_control.hpp"
#include "router/control/stores.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

constexpr std::chrono::hours kLeaseMost{1};

std::chrono::milliseconds checked(std::chrono::milliseconds lease) {
  if (lease < std::chrono::milliseconds(1) || lease > kLeaseMost)
    throw Refusal("bad_argument", "a lease lasts from 1 ms to an hour, not " +
                                      std::to_string(lease.count()) + " ms");
  return lease;
}

/// What a prepare asks for, as an edit, or as a ring from elsewhere.
struct WantedRing {
  RingEdit edit;
  std::shared_ptr<const ring::Ring> ring;
};

/// Everything that can be wrong with it shows here, before anything is changed.
WantedRing wanted_ring(const PrepareRequest& request, const config::Config& config,
                       const ring::Ring& now, const ring::Load& elsewhere) {
  WantedRing wanted;
  if (request.ring.empty()) {
    if (request.vnodes.empty())
      throw Refusal("bad_argument", "neither vnodes nor a ring are named");
    require_vnodes(now, request.vnodes);
    require_pnode(config, now, request.pnode);
    if (!request.from.empty()) require_database(config, request.pnode);
    if (!request.owner.empty()) require_owner(now, request.vnodes, request.owner);
    wanted.edit.moved = not_owned_by(now, request.vnodes, request.pnode);
    wanted.edit.pnode = request.pnode;
    if (wanted.edit.moved.empty())
      throw Refusal("unchanged", "all of these vnodes belong to \"" + request.pnode + "\" already");
    wanted.ring = edited(now, wanted.edit);
  } else {
    if (!request.owner.empty())
      throw Refusal("bad_argument", "\"owner\" goes with \"vnodes\", not with \"ring\"");
    wanted.ring = load_ring(request.ring, elsewhere).ring;
  }
  require_digest("the ring's digest", wanted.ring->digest(), request.expect_digest);
  return wanted;
}

/// One that is left over harms nobody.
void drop_generation(ring::GenerationStore& rings, std::uint64_t number, Log& log) {
  try {
    const auto generation = rings.find(number);
    if (generation && !generation->current) rings.drop(*generation);
  } catch (const std::exception& error) {
    log.warn("a generation that nobody needs stays in the store",
             {{"generation", number}, {"reason", error.what()}});
  }
}

}  // namespace

PreparedRing RingControl::prepared_ring() const {
  PreparedRing result;
  result.base_digest = ring().digest();
  result.hold = std::chrono::milliseconds(config_->timeouts.hold_ms);
  const PendingRing& pending = *machine_.pending().ring();
  result.generation = pending.generation;
  result.digest = pending.digest;
  result.plan = pending.plan;
  result.lease_left = machine_.pending().lease_left(lease_clock());
  return result;
}

/// What takes no time is looked at first.
void RingControl::require_prepare(const PrepareRequest& request) const {
  checked(request.lease);
  static_cast<void>(store_of(*config_, "prepare", elsewhere_));
  if (!request.from.empty()) {
    if (request.plan.empty() || request.holder.empty())
      throw Refusal("bad_argument",
                    "\"from\" needs \"plan\" and \"holder\": its row is found by them");
    require_database(*config_, request.from);
  }
  // A router on another ring would serve by that under the new lease.
  require_digest("the ring in force", ring().digest(), request.base_digest);
}

void RingControl::prepare_ring(PrepareRequest request, Done<PreparedRing> done) {
  Change change;
  change.kind = request.rehearse ? Change::Kind::rehearse : Change::Kind::prepare;
  change.what = "prepare";
  change.holder = request.holder;
  submit(std::move(change), {[this, request = std::move(request), done] {
                               require_prepare(request);
                               return request.rehearse ? rehearse_work(request, done)
                                                       : prepare_work(request, done);
                             },
                             done,
                             {}});
}

/// As far as `prepare_work` without its changes: on disk too, where most that can go wrong does.
RingControl::Work RingControl::rehearse_work(const PrepareRequest& request,
                                             Done<PreparedRing> done) {
  return [this, request, done, now = config(), before = base_.ring.ring]() -> Finish {
    PreparedRing result;
    in_background([&] {
      const WantedRing wanted = wanted_ring(request, *now, *before, elsewhere_);
      static_cast<void>(prepare(*now, {wanted.ring, 0}, *sources_, log_));
      ring::GenerationStore rings = store_of(*now, "prepare", elsewhere_);
      result.digest = request.ring.empty() ? rings.rehearse_edit(directory_edit(wanted.edit))
                                           : rings.rehearse_ring(*wanted.ring);
    });
    result.rehearsed = true;
    result.base_digest = before->digest();
    result.hold = std::chrono::milliseconds(now->timeouts.hold_ms);
    return [this, done, result] {
      under_way_.reset();
      machine_.ended(lease_clock());
      done(result);
    };
  };
}

/// Disk first, and the record last there: until it is written, a failure leaves what was prepared
/// before, by this holder or by hand, as it was.
RingControl::Work RingControl::prepare_work(const PrepareRequest& request,
                                            Done<PreparedRing> done) {
  const PendingRing* pending = machine_.pending().ring();
  const std::uint64_t replaced = pending != nullptr ? pending->generation : 0;
  return [this, request, done, replaced, now = config(), before = base_.ring.ring]() -> Finish {
    const auto staged = std::make_shared<Staged>();
    PendingRing record{0,
                       "",
                       request.plan,
                       request.holder.empty() ? new_token() : request.holder,
                       request.from,
                       request.pnode,
                       {},
                       request.lease};
    in_background([&] {
      const WantedRing wanted = wanted_ring(request, *now, *before, elsewhere_);
      static_cast<void>(prepare(*now, {wanted.ring, 0}, *sources_, log_));
      ring::GenerationStore rings = store_of(*now, "prepare", elsewhere_);
      const bool replaced_is_last = replaced != 0 && rings.list().back().number == replaced;
      auto loaded = request.ring.empty() ? rings.stage_edit(directory_edit(wanted.edit))
                                         : rings.stage_ring(*wanted.ring);
      staged->generation = loaded.generation;
      record.generation = loaded.generation.number;
      record.digest = loaded.generation.digest;
      try {
        record.vnodes = moved_between(*before, *loaded.ring);
        staged->moved = record.vnodes.size();
        staged->prepared = prepare(*now, {loaded.ring, record.generation}, *sources_, log_);
        rings.set_pending(record.to_text());
      } catch (...) {
        if (record.generation != replaced) drop_generation(rings, record.generation, log_);
        throw;
      }
      if (replaced_is_last && replaced != record.generation) drop_generation(rings, replaced, log_);
    });
    return [this, done, record, staged] { ring_staged(std::move(*staged), record, done); };
  };
}

/// Its lease begins, and workers know its vnodes and shards before anybody is told.
void RingControl::ring_staged(Staged staged, const PendingRing& record,
                              const Done<PreparedRing>& done) {
  staged_ = std::move(staged);
  under_way_.reset();
  machine_.ended(record, lease_clock());
  log_.info("ring prepared", {{"generation", record.generation},
                              {"ringDigest", record.digest},
                              {"plan", record.plan},
                              {"rows", record.from}});
  update_status([&](ControlStatus& status) {
    status.prepared = prepared_ring();
    status.left_pending.clear();
  });
  publish([this, done, record](const Published& published) {
    // A worker that does not know of the lease would send requests to these vnodes beyond it.
    if (!published.missing.empty())
      return done(Refusal("not_acknowledged", missing_workers(published) +
                                                  " had not taken the lease over after a second; "
                                                  "prepare again"));
    const PendingRing* pending = machine_.pending().ring();
    if (pending == nullptr || pending->token != record.token)
      return done(Refusal("nothing_prepared", "the ring was abandoned meanwhile"));
    PreparedRing result = prepared_ring();
    result.token = record.token;
    done(result);
  });
}

void RingControl::renew(std::string token, std::chrono::milliseconds lease,
                        Done<PreparedRing> done) {
  perform<PreparedRing>(std::move(done), [this, token = std::move(token), lease] {
    if (auto refusal = machine_.renew(token, checked(lease), lease_clock()))
      throw *std::move(refusal);
    return prepared_ring();
  });
}

/// The rename is the commit: a crash before it leaves the old ring, one after it the new.
void RingControl::activate(std::string token, std::string expect_digest, Done<RingChange> done) {
  const auto begin = [this, expect_digest, done]() -> Work {
    require_digest("the prepared ring's digest", staged_->generation.digest, expect_digest);
    if (auto refusal =
            machine_.commit(staged_->prepared.ring.ring->vnode_count(), staged_->generation.digest))
      throw *std::move(refusal);
    return [this, done, now = config(), generation = staged_->generation]() -> Finish {
      store_of(*now, "activate", elsewhere_).activate(generation);
      return [this, done] { activated(done); };
    };
  };
  Change change;
  change.kind = Change::Kind::activate;
  change.what = "activate";
  change.holder = std::move(token);
  change.expect_digest = std::move(expect_digest);
  submit(std::move(change), {begin, done, [this, done] { tell_unchanged(done); }});
}

void RingControl::activated(const Done<RingChange>& done) {
  Staged staged = *std::exchange(staged_, std::nullopt);
  put_in_force(std::move(staged.prepared), staged.moved, done);
  update_status([](ControlStatus& status) { status.prepared.reset(); });
  if (!machine_.awaits_target()) tidy_store(ring().digest());
}

/// What a commit leaves behind in the store; nobody waits for it. A record that is left by a crash
/// names the ring in force, which harms nothing; another ring's may have been written since.
void RingControl::tidy_store(const std::string& in_force) {
  const auto work = [this, now = config(), in_force] {
    try {
      ring::GenerationStore rings = store_of(*now, "activate", elsewhere_);
      const auto record = PendingRing::parse(rings.pending());
      if (!record || record->digest == in_force) rings.set_pending("");
      rings.forget_old();
    } catch (const std::exception& error) {
      log_.warn("the store of rings is not tidied", {{"reason", error.what()}});
    }
  };
  if (started_)
    files_.post(work);
  else
    work();
}

void RingControl::abandon(std::string token, Done<PreparedRing> done) {
  Change change;
  change.kind = Change::Kind::abandon;
  change.what = "abandon";
  change.holder = std::move(token);
  submit(std::move(change),
         {[this, done] {
            return withdraw_work([this, done, result = prepared_ring()] {
              log_.info("prepared ring abandoned",
                        {{"generation", result.generation}, {"ringDigest", result.digest}});
              publish(telling<PreparedRing>(done, result, nullptr));
            });
          },
          done,
          [this, done] {
            PreparedRing nothing;
            nothing.base_digest = ring().digest();
            done(nothing);
          }});
}

/// The prepared ring goes, from disk too: first from there, so that what fails there leaves it
/// prepared. Its vnodes are served without a lease; those that are blocked stay so.
RingControl::Work RingControl::withdraw_work(std::function<void()> told) {
  return [this, told = std::move(told), now = config(),
          generation = machine_.pending().ring()->generation]() -> Finish {
    ring::GenerationStore rings = store_of(*now, "abandon", elsewhere_);
    rings.set_pending("");
    // An older generation of the history stays there.
    if (rings.list().back().number == generation) drop_generation(rings, generation, log_);
    return [this, told] {
      staged_.reset();
      under_way_.reset();
      machine_.ended_withdrawn(lease_clock());
      unpublished_ = true;  // shards that were connected for it
      update_status([](ControlStatus& status) {
        status.prepared.reset();
        status.left_pending.clear();
      });
      told();
    };
  };
}

}  // namespace router
