// A change of ring in two phases, under a coordinator's lease.
#include <algorithm>

#include <boost/asio/post.hpp>

#include "ring/generation_store.hpp"
#include "router/control/ring_control.hpp"
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

/// Vnodes that change hands; none where the rings can't be compared.
ring::VnodeSet moved_between(const ring::Ring& from, const ring::Ring& to) {
  ring::VnodeSet moved;
  if (from.vnode_count() != to.vnode_count() || from.interval_hex() != to.interval_hex())
    return moved;
  for (const auto& move : difference(from, to).moves) moved = moved.united(move.vnodes);
  return moved;
}

void require_owner(const ring::Ring& ring, const ring::VnodeSet& vnodes, const std::string& pnode) {
  const ring::VnodeSet others = not_owned_by(ring, vnodes, pnode);
  if (others.empty()) return;
  const auto first = static_cast<ring::Vnode>(others.ranges().front().first);
  throw Refusal("not_owner", "vnode " + std::to_string(number(first)) + " is \"" +
                                 std::string(ring.pnode_name(ring.owner(first))) +
                                 "\"'s in the ring in force, not \"" + pnode + "\"'s");
}

void require_digest(const char* which, const std::string& found, const std::string& wanted) {
  if (!wanted.empty() && found != wanted)
    throw Refusal("other_ring", std::string(which) + " is " + found + ", not " + wanted);
}

}  // namespace

void RingControl::require_holder(const std::string& token) const {
  if (auto refusal = pending_.against_holder(token, lease_clock())) throw *std::move(refusal);
}

PreparedRing RingControl::prepared_ring() const {
  PreparedRing result;
  result.base_digest = snapshot().ring->digest();
  result.hold = std::chrono::milliseconds(config_->timeouts.hold_ms);
  result.generation = pending_.ring()->generation;
  result.digest = pending_.ring()->digest;
  result.plan = pending_.ring()->plan;
  result.lease_left = pending_.lease_left(lease_clock());
  return result;
}

void RingControl::prepare_ring(PrepareRequest request, Done<PreparedRing> done) {
  perform_in_background<PreparedRing>(std::move(done), [this, request = std::move(request)] {
    WantedRing wanted = check_prepare(request);
    return request.rehearse ? rehearse(request, wanted) : stage(request, std::move(wanted));
  });
}

/// Everything that can be wrong with it shows here, before anything is changed.
RingControl::WantedRing RingControl::check_prepare(const PrepareRequest& request) const {
  if (auto refusal = pending_.against_prepare(request.holder, lease_clock()))
    throw *std::move(refusal);
  if (!awaited_ || Holder::parse(awaited_->token).token != Holder::parse(request.holder).token)
    if (auto refusal = against_awaited("prepare")) throw *std::move(refusal);
  checked(request.lease);
  static_cast<void>(store("prepare"));
  if (!request.from.empty()) {
    if (request.plan.empty() || request.holder.empty())
      throw Refusal("bad_argument",
                    "\"from\" needs \"plan\" and \"holder\": its row is found by them");
    require_database(request.from);
  }
  const ring::Ring& now = *snapshot().ring;
  // A router on another ring would serve by that under the new lease.
  require_digest("the ring in force", now.digest(), request.base_digest);
  WantedRing wanted;
  if (request.ring.empty()) {
    if (request.vnodes.empty())
      throw Refusal("bad_argument", "neither vnodes nor a ring are named");
    require_vnodes(now, request.vnodes);
    require_pnode(request.pnode);
    if (!request.from.empty()) require_database(request.pnode);
    if (!request.owner.empty()) require_owner(now, request.vnodes, request.owner);
    wanted.edit.moved = not_owned_by(now, request.vnodes, request.pnode);
    wanted.edit.pnode = request.pnode;
    if (wanted.edit.moved.empty())
      throw Refusal("unchanged", "all of these vnodes belong to \"" + request.pnode + "\" already");
    wanted.ring = remapped(now, wanted.edit.moved, request.pnode);
  } else {
    if (!request.owner.empty())
      throw Refusal("bad_argument", "\"owner\" goes with \"vnodes\", not with \"ring\"");
    wanted.ring = load_ring(request.ring).ring;
  }
  require_digest("the ring's digest", wanted.ring->digest(), request.expect_digest);
  return wanted;
}

/// As far as `stage` without its changes: on disk too, where most that can go wrong does.
PreparedRing RingControl::rehearse(const PrepareRequest& request, const WantedRing& wanted) {
  static_cast<void>(prepare_for(*config_, {wanted.ring, 0}));
  ring::GenerationStore rings = store("prepare");
  PreparedRing result;
  result.rehearsed = true;
  result.base_digest = snapshot().ring->digest();
  result.hold = std::chrono::milliseconds(config_->timeouts.hold_ms);
  result.digest = request.ring.empty()
                      ? rings.rehearse_edit([&](const std::filesystem::path& directory) {
                          edit_directory(directory.string(), wanted.edit);
                        })
                      : rings.rehearse_ring(*wanted.ring);
  return result;
}

/// Disk first, and the record last there: until it is written, a failure leaves what was prepared
/// before, by this holder or by hand, as it was.
PreparedRing RingControl::stage(const PrepareRequest& request, WantedRing wanted) {
  static_cast<void>(prepare_for(*config_, {wanted.ring, 0}));
  ring::GenerationStore rings = store("prepare");
  const std::uint64_t replaced = pending_.ring() ? pending_.ring()->generation : 0;
  const bool replaced_is_last = replaced != 0 && rings.list().back().number == replaced;
  auto loaded = request.ring.empty()
                    ? rings.stage_edit([&](const std::filesystem::path& directory) {
                        edit_directory(directory.string(), wanted.edit);
                      })
                    : rings.stage_ring(*wanted.ring);
  const ring::VnodeSet moved = moved_between(*snapshot().ring, *loaded.ring);
  PendingRing record{loaded.generation.number,
                     loaded.generation.digest,
                     request.plan,
                     request.holder.empty() ? new_token() : request.holder,
                     request.from,
                     request.pnode,
                     moved,
                     request.lease};
  std::optional<Prepared> prepared;
  try {
    prepared = prepare_for(*config_, {loaded.ring, loaded.generation.number});
    rings.set_pending(record.to_text());
  } catch (...) {
    if (loaded.generation.number != replaced) drop_generation(rings, loaded.generation.number);
    throw;
  }
  pending_.stage(record, lease_clock());
  staged_ = Staged{std::move(loaded), *std::move(prepared), moved.size()};
  standing_.reset();
  asked_early_ = false;
  if (awaited_ && awaited_->token == record.token) awaited_.reset();
  if (replaced_is_last && replaced != record.generation) drop_generation(rings, replaced);

  Publication next = *publisher_.current();
  next.warm = newcomers(next.shards, staged_->prepared.publication.shards);
  auto opened = publisher_.opened();
  opened.insert(opened.end(), staged_->prepared.opened.begin(), staged_->prepared.opened.end());
  std::size_t missing = 0;
  if (!next.warm.empty() || !publisher_.current()->warm.empty())
    missing += publisher_.publish(std::move(next), std::move(opened)).missing;
  missing += serve_under_lease(*pending_.ring(), pending_.lease_end());

  PreparedRing result = prepared_ring();
  update_status([&](ControlStatus& status) {
    status.prepared = result;
    status.left_pending.clear();
  });
  log_.info("ring prepared", {{"generation", result.generation},
                              {"ringDigest", result.digest},
                              {"plan", request.plan},
                              {"rows", request.from}});
  watch_lease();
  // It would send requests to these vnodes beyond the lease.
  if (missing > 0 && record.of_plan())
    throw Refusal("failed", std::to_string(missing) +
                                " workers have not acknowledged the lease; prepare again");
  result.token = record.token;
  return result;
}

void RingControl::renew(std::string token, std::chrono::milliseconds lease,
                        Done<PreparedRing> done) {
  perform<PreparedRing>(std::move(done), [this, token = std::move(token), lease] {
    // One moment for both: a process that was stopped in between must not find its lease renewed.
    const auto now = lease_clock();
    if (auto refusal = pending_.against_holder(token, now)) throw *std::move(refusal);
    pending_.renew(now, checked(lease));
    asked_early_ = false;
    if (snapshot().leased != nullptr) snapshot().leased->lease->set_end(pending_.lease_end());
    return prepared_ring();
  });
}

/// The rename is the commit: a crash before it leaves the old ring, one after it the new.
void RingControl::activate(std::string token, std::string expect_digest, Done<RingChange> done) {
  perform<RingChange>(std::move(done), [this, token = std::move(token),
                                        expect_digest = std::move(expect_digest)] {
    if (!pending_.ring() && !expect_digest.empty() && expect_digest == snapshot().ring->digest())
      return unchanged();  // asked again, or the plan's row was faster
    require_holder(token);
    const ring::Generation generation = staged_->loaded.generation;
    require_digest("the prepared ring's digest", generation.digest, expect_digest);
    ring::GenerationStore rings = store("activate");
    Prepared prepared =
        prepare_for(*config_, {staged_->loaded.ring, generation.number});  // with today's gate
    rings.activate(generation);
    // A worker that takes the new ring late goes by the old one until the lease's end.
    const RingChange change = put_in_force(std::move(prepared), staged_->moved);
    boost::asio::post(loop_, [this] { tidy_store(); });  // nobody waits for that
    staged_.reset();
    if (pending_.ring()->of_plan()) awaited_ = pending_.ring();
    pending_.end();
    blocked_under_lease_ = {};  // they stay blocked, as any other
    if (awaits_target()) await_later();
    update_status([](ControlStatus& status) { status.prepared.reset(); });
    return change;
  });
}

/// What a commit leaves behind in the store. A record that is left by a crash names the ring in
/// force, which harms nothing.
void RingControl::tidy_store() {
  try {
    ring::GenerationStore rings = store("activate");
    if (!pending_.ring()) rings.set_pending("");
    rings.forget_old();
  } catch (const std::exception& error) {
    log_.warn("the store of rings is not tidied", {{"reason", error.what()}});
  }
}

void RingControl::abandon(std::string token, Done<PreparedRing> done) {
  perform<PreparedRing>(std::move(done), [this, token = std::move(token)] {
    if (auto refusal = pending_.against_abandon(token)) throw *std::move(refusal);
    const PreparedRing result = prepared_ring();
    // A plan that backed out has told its routers to unblock; one that did not hear of it would
    // refuse these vnodes for good, with neither a lease nor a record by which it asks.
    const ring::VnodeSet blocked =
        pending_.ring()->of_plan() ? blocked_under_lease_ : ring::VnodeSet();
    withdraw();
    open_vnodes(blocked, "their plan has abandoned its ring");
    log_.info("prepared ring abandoned",
              {{"generation", result.generation}, {"ringDigest", result.digest}});
    return result;
  });
}

/// The prepared ring goes, from disk too: first from there, so that what fails there leaves it
/// prepared. Its vnodes are served without a lease; those that are blocked stay so.
void RingControl::withdraw() {
  ring::GenerationStore rings = store("abandon");
  rings.set_pending("");
  const std::uint64_t generation = pending_.ring()->generation;
  // An older generation of the history stays there.
  if (rings.list().back().number == generation) drop_generation(rings, generation);
  staged_.reset();
  pending_.end();
  standing_.reset();
  blocked_under_lease_ = {};
  Publication now = *publisher_.current();
  if (!now.warm.empty()) {
    now.warm.clear();
    publisher_.publish(std::move(now), publisher_.opened());
  }
  end_serving_lease();
  update_status([](ControlStatus& status) {
    status.prepared.reset();
    status.left_pending.clear();
  });
}

/// One that is left over harms nobody.
void RingControl::drop_generation(ring::GenerationStore& rings, std::uint64_t number) {
  try {
    const auto generation = rings.find(number);
    if (generation && !generation->current) rings.drop(*generation);
  } catch (const std::exception& error) {
    log_.warn("a generation that nobody needs stays in the store",
              {{"generation", number}, {"reason", error.what()}});
  }
}

}  // namespace router
