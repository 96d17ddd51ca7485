// A change of ring in two phases, under a coordinator's lease.
#include <algorithm>

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include "ring/generation_store.hpp"
#include "router/control/ring_control.hpp"
#include "router/log.hpp"

namespace router {
namespace {

constexpr std::chrono::milliseconds kLeaseLook{50};
constexpr std::chrono::hours kLeaseMost{1};

std::chrono::milliseconds checked(std::chrono::milliseconds lease) {
  if (lease < std::chrono::milliseconds(1) || lease > kLeaseMost)
    throw Refusal("bad_argument", "a lease lasts from 1 ms to an hour, not " +
                                      std::to_string(lease.count()) + " ms");
  return lease;
}

/// Pnodes that the ring in force lacks are connected before their vnodes come.
std::vector<ShardSpec> newcomers(const std::vector<ShardSpec>& now,
                                 const std::vector<ShardSpec>& next) {
  std::vector<ShardSpec> result;
  for (const ShardSpec& spec : next)
    if (std::none_of(now.begin(), now.end(),
                     [&](const ShardSpec& known) { return known.same_shard(spec); }))
      result.push_back(spec);
  return result;
}

/// 0 where the rings can't be compared.
std::uint64_t moved_between(const ring::Ring& from, const ring::Ring& to) {
  std::uint64_t vnodes = 0;
  if (from.vnode_count() != to.vnode_count() || from.interval_hex() != to.interval_hex())
    return vnodes;
  for (const auto& move : difference(from, to).moves) vnodes += move.vnodes.size();
  return vnodes;
}

}  // namespace

void RingControl::require_holder(const std::string& token) const {
  if (!lease_.held_by(token))
    throw Refusal("not_holder", lease_.out() ? "another coordinator holds the lease"
                                             : "no lease is out: nothing is prepared");
  if (lease_.expired(lease_clock()))
    throw Refusal("lease_expired", "the lease has run out; prepare again");
}

PreparedRing RingControl::prepared_ring() const {
  return {"", staged_->loaded.generation.number, staged_->loaded.generation.digest, staged_->plan,
          lease_.left(lease_clock())};
}

void RingControl::prepare_ring(PrepareRequest request, Done<PreparedRing> done) {
  perform_in_background<PreparedRing>(std::move(done), [this, request = std::move(request)] {
    if (request.holder.empty() || !lease_.held_by(request.holder))
      require_no_coordinator("prepare");
    checked(request.lease);
    ring::GenerationStore rings = store("prepare");
    if (staged_) withdraw();  // its lease has run out, or it is the same coordinator's
    const ring::Ring& now = *snapshot().ring;
    // A router on another ring would serve by that under the new lease.
    if (!request.base_digest.empty() && now.digest() != request.base_digest)
      throw Refusal("refused",
                    "the ring in force is " + now.digest() + ", not " + request.base_digest);
    std::shared_ptr<const ring::Ring> wanted;
    RingEdit edit;
    if (request.ring.empty()) {
      if (request.vnodes.empty())
        throw Refusal("bad_argument", "neither vnodes nor a ring are named");
      require_vnodes(now, request.vnodes);
      require_pnode(request.pnode);
      edit.moved = not_owned_by(now, request.vnodes, request.pnode);
      edit.pnode = request.pnode;
      if (edit.moved.empty())
        throw Refusal("unchanged",
                      "all of these vnodes belong to \"" + request.pnode + "\" already");
      wanted = remapped(now, edit.moved, request.pnode);
    } else {
      wanted = load_ring(request.ring).ring;
    }
    if (!request.expect_digest.empty() && wanted->digest() != request.expect_digest)
      throw Refusal("refused",
                    "the ring's digest is " + wanted->digest() + ", not " + request.expect_digest);
    static_cast<void>(
        prepare_for(*config_, {wanted, 0}));  // whatever is wrong shows before a file is touched

    auto loaded = request.ring.empty()
                      ? rings.stage_edit([&](const std::filesystem::path& directory) {
                          edit_directory(directory.string(), edit);
                        })
                      : rings.stage_ring(*wanted);
    Prepared prepared = prepare_for(*config_, {loaded.ring, loaded.generation.number});
    followed_.reset();
    if (!request.from.empty()) {
      const ring::VnodeSet moved = request.ring.empty() ? edit.moved : ring::VnodeSet();
      followed_ = PlanFollowed{request.plan,  request.holder,           request.from,
                               request.pnode, loaded.generation.digest, loaded.generation.number,
                               moved};
    }
    nlohmann::ordered_json record{{"generation", loaded.generation.number},
                                  {"digest", loaded.generation.digest},
                                  {"plan", request.plan}};
    if (followed_) {
      record["token"] = followed_->token;
      record["from"] = followed_->from;
      record["to"] = followed_->to;
      record["vnodes"] = followed_->vnodes.to_text();
    }
    rings.set_pending(record.dump());

    Publication warm = *publisher_.current();
    warm.warm = newcomers(warm.shards, prepared.publication.shards);
    auto opened = publisher_.opened();
    opened.insert(opened.end(), prepared.opened.begin(), prepared.opened.end());
    if (!warm.warm.empty()) publisher_.publish(std::move(warm), std::move(opened));
    const std::uint64_t moved = moved_between(now, *loaded.ring);
    staged_ = Staged{std::move(loaded), std::move(prepared), request.plan, moved};

    const auto token = lease_.take(lease_clock(), request.lease, request.holder);
    PreparedRing result = prepared_ring();
    update_status([&](ControlStatus& status) {
      status.prepared = result;
      status.left_pending.clear();
    });
    log_.info(
        "ring prepared",
        {{"generation", result.generation}, {"ringDigest", result.digest}, {"plan", request.plan}});
    watch_lease();
    result.token = *token;
    return result;
  });
}

void RingControl::renew(std::string token, std::chrono::milliseconds lease,
                        Done<PreparedRing> done) {
  perform<PreparedRing>(std::move(done), [this, token = std::move(token), lease] {
    require_holder(token);
    lease_.renew(token, lease_clock(), checked(lease));
    return prepared_ring();
  });
}

/// The rename is the commit: a crash before it leaves the old ring, one after it the new.
void RingControl::activate(std::string token, std::string expect_digest, Done<RingChange> done) {
  perform<RingChange>(
      std::move(done), [this, token = std::move(token), expect_digest = std::move(expect_digest)] {
        require_holder(token);
        const ring::Generation generation = staged_->loaded.generation;
        if (!expect_digest.empty() && expect_digest != generation.digest)
          throw Refusal("refused", "the prepared ring's digest is " + generation.digest + ", not " +
                                       expect_digest);
        ring::GenerationStore rings = store("activate");
        Prepared prepared =
            prepare_for(*config_, {staged_->loaded.ring, generation.number});  // with today's gate
        rings.activate(generation);
        const RingChange change = put_in_force(std::move(prepared), staged_->moved);
        boost::asio::post(loop_, [this] { tidy_store(); });  // nobody waits for that
        staged_.reset();
        followed_.reset();
        lease_.give_back();
        leased_ = {};  // they stay blocked, as any other
        update_status([](ControlStatus& status) { status.prepared.reset(); });
        return change;
      });
}

/// What a commit leaves behind in the store. A record that is left by a crash names the ring in
/// force, which harms nothing.
void RingControl::tidy_store() {
  try {
    ring::GenerationStore rings = store("activate");
    if (!staged_ && !followed_) rings.set_pending("");
    rings.forget_old();
  } catch (const std::exception& error) {
    log_.warn("the store of rings is not tidied", {{"reason", error.what()}});
  }
}

void RingControl::abandon(std::string token, Done<PreparedRing> done) {
  perform<PreparedRing>(std::move(done), [this, token = std::move(token)] {
    if (!lease_.held_by(token)) require_holder(token);
    const PreparedRing result = prepared_ring();
    withdraw();
    lease_.give_back();
    leased_ = {};
    log_.info("prepared ring abandoned",
              {{"generation", result.generation}, {"ringDigest", result.digest}});
    return result;
  });
}

/// The staged ring goes, from disk too.
void RingControl::withdraw() {
  ring::GenerationStore rings = store("abandon");
  if (rings.current().number != staged_->loaded.generation.number) {
    rings.set_pending("");
    // A generation of the history that was prepared again stays there.
    if (rings.list().back().number == staged_->loaded.generation.number)
      rings.drop(staged_->loaded.generation);
  }
  staged_.reset();
  followed_.reset();
  Publication now = *publisher_.current();
  if (!now.warm.empty()) {
    now.warm.clear();
    publisher_.publish(std::move(now), publisher_.opened());
  }
  update_status([](ControlStatus& status) { status.prepared.reset(); });
}

void RingControl::watch_lease() {
  lease_timer_.expires_after(kLeaseLook);
  lease_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !staged_) return;
    if (lease_.expired(lease_clock()))
      lease_expired();
    else
      watch_lease();
  });
}

/// The clock alone releases nothing: writes that were held are refused, and the vnodes stay
/// blocked until somebody who knows what became of the plan unblocks them.
void RingControl::lease_expired() {
  const ring::VnodeSet held = snapshot().gate->held.common(leased_);
  log_.error(
      "a coordinator's lease has run out; its held vnodes refuse writes until they are unblocked",
      {{"generation", staged_->loaded.generation.number},
       {"plan", staged_->plan},
       {"vnodes", held.size()}});
  update_status([](ControlStatus& status) { ++status.leases_expired; });
  follow_plan();
  if (held.empty()) return;
  Gate gate = *snapshot().gate;
  gate.held = gate.held.without(held);
  gate.refused = gate.refused.united(held);
  set_gate(std::move(gate));
}

}  // namespace router
