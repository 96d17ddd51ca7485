// Changes of the ring in force and of the configuration.
#include "ring/generation_store.hpp"
#include "router/control/background.hpp"
#include "router/control/checks.hpp"
#include "router/control/ring_control.hpp"
#include "router/control/stores.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

void note_published(RingChange& change, const Published& published) {
  change.published = published;
}

}  // namespace

RingFacts RingControl::facts_of(const RingInForce& ring) {
  return {ring.ring->digest(), ring.generation, ring.ring->vnode_count()};
}

/// In force from now on; `done` is told when every worker has it.
void RingControl::put_in_force(Prepared prepared, std::uint64_t changed, Done<RingChange> done) {
  base_ = std::move(prepared);
  const RingChange change{ring().digest(), base_.ring.generation, changed, {}};
  leased_ = nullptr;  // a lease of the old ring's; the machine says whether there is one of this
  // What the fleet does not let this router serve holds on, whatever ring it has.
  fleet_leased_ = fleet_gate_.leased.empty()
                      ? nullptr
                      : LeasedVnodes::of(ring(), fleet_gate_.leased, fleet_gate_.until);
  const auto facts = facts_of(base_.ring);
  under_way_.reset();
  machine_.ended(facts, lease_clock());
  const auto told = telling<RingChange>(std::move(done), change, note_published);
  publish([this, change, told](const Published& published) {
    using std::chrono::duration_cast;
    using std::chrono::microseconds;
    log_.info("ring in force",
              {{"ringDigest", change.digest},
               {"generation", change.generation},
               {"vnodesChanged", change.changed},
               {"microseconds", duration_cast<microseconds>(published.took).count()},
               {"pauseMicroseconds", duration_cast<microseconds>(published.pause).count()}});
    told(published);
  });
}

/// When every worker has what is in force: it may have come into force a moment ago.
void RingControl::tell_unchanged(const Done<RingChange>& done) {
  publisher_.await(telling<RingChange>(
      done, RingChange{ring().digest(), base_.ring.generation, 0, {}}, nullptr));
}

/// What a reload can't change stays as it was, and is named in the log.
config::Config RingControl::read_config(const config::Config& now) const {
  if (config_file_.empty()) return now;
  config::Parsed parsed = config::load_file(config_file_);
  if (!parsed.problems.empty()) throw std::runtime_error(config::to_text(parsed.problems));
  config::Config next = std::move(parsed.config);
  next.overrides = now.overrides;
  apply_overrides(next);
  for (const std::string& name : fixed_differences(now, next))
    log_.warn("a reload can't change this setting; restart to change it", {{"setting", name}});
  next.listen = now.listen;
  next.monitor = now.monitor;
  next.status = now.status;
  next.admin_socket = now.admin_socket;
  next.workers = now.workers;
  next.resolvers = now.resolvers;
  next.fleet = now.fleet;
  return next;
}

RingControl::Work RingControl::reload_work(const std::string& ring, const std::string& digest,
                                           Done<RingChange> done) {
  if (!ring.empty() && config()->fleet.enabled())
    throw Refusal("fleet_member", "reload: a member of fleet \"" + config()->fleet.name +
                                      "\" keeps its rings where they are; `moray-router fleet "
                                      "publish` puts another one in force at all routers");
  const RingInForce staged = fleet_staged_ ? fleet_staged_->prepared.ring : RingInForce();
  return [this, ring, digest, done, staged, now = config(), before = base_.ring.ring]() -> Finish {
    config::Config next = read_config(*now);
    if (now->fleet.enabled()) next.ring_location = now->ring_location;
    if (!ring.empty()) next.ring_location = ring;
    std::optional<Prepared> prepared;
    auto prepared_next = std::make_shared<std::optional<Prepared>>();
    std::uint64_t changed = 0;
    in_background([&] {
      prepared = prepare(next, load_ring(next.ring_location, elsewhere_), *sources_, log_);
      // The fleet's next ring, too, comes into force by this configuration.
      if (staged.ring != nullptr) *prepared_next = prepare(next, staged, *sources_, log_);
      changed = changed_between(*before, *prepared->ring.ring);
    });
    const std::string& found = prepared->ring.ring->digest();
    if (!digest.empty() && digest != found)
      throw Refusal("refused", "the ring's digest is " + found + ", not " + digest);
    return [this, done, next = std::move(next), changed, prepared_next,
            prepared = std::make_shared<Prepared>(*std::move(prepared))] {
      if (auto refusal =
              machine_.commit(prepared->ring.ring->vnode_count(), prepared->ring.ring->digest()))
        throw *std::move(refusal);
      sources_->configure(next);
      log_.set_level(log_level_named(next.log.level));
      {
        const std::scoped_lock lock(mutex_);
        status_.ring_location = next.ring_location;
        config_ = std::make_shared<const config::Config>(next);
      }
      if (*prepared_next && fleet_staged_) fleet_staged_->prepared = *std::move(*prepared_next);
      put_in_force(std::move(*prepared), changed, done);
    };
  };
}

/// All or nothing: what is wrong leaves everything as it was.
void RingControl::reload(std::string ring, std::string digest, Done<RingChange> done) {
  const auto noted = [this, done = std::move(done)](Outcome<RingChange> outcome) {
    const auto* refusal = std::get_if<Refusal>(&outcome);
    if (refusal != nullptr)
      log_.error("reload refused; the old ring and configuration go on serving",
                 {{"reason", refusal->what()}});
    else
      log_.info("reloaded", {{"ringDigest", std::get<RingChange>(outcome).digest}});
    update_status([&](ControlStatus& status) {
      status.last_reload =
          refusal != nullptr ? std::string("refused: ") + refusal->what() : std::string("ok");
      ++status.reloads;
      if (refusal != nullptr) ++status.reloads_refused;
    });
    done(std::move(outcome));
  };
  Change change;
  change.kind = Change::Kind::reload;
  change.what = "reload";
  submit(std::move(change), {[this, ring = std::move(ring), digest = std::move(digest), noted] {
                               return reload_work(ring, digest, noted);
                             },
                             noted,
                             {}});
}

/// The edit is made in memory first: whatever is wrong with it is found before a file is touched.
void RingControl::edit(const char* what, std::function<RingEdit(const ring::Ring&)> wanted,
                       Done<RingChange> done) {
  const auto begin = [this, wanted = std::move(wanted), done]() -> Work {
    return [this, wanted, done, now = config(), before = base_.ring]() -> Finish {
      const RingEdit edit = wanted(*before.ring);
      const std::uint64_t changed = edit.moved.size() + edit.marked.size();
      if (changed == 0)
        return [this, done] {
          under_way_.reset();
          machine_.ended(lease_clock());
          tell_unchanged(done);
        };
      auto prepared = std::make_shared<std::optional<Prepared>>();
      in_background([&] {
        static_cast<void>(prepare(*now, {edited(*before.ring, edit), 0}, *sources_, log_));
        *prepared = prepare(*now, edit_ring(now->ring_location, edit, elsewhere_), *sources_, log_);
      });
      return [this, done, changed, prepared] { put_in_force(**prepared, changed, done); };
    };
  };
  Change change;
  change.kind = Change::Kind::edit;
  change.what = what;
  submit(std::move(change), {begin, done, {}});
}

void RingControl::remap(ring::VnodeSet vnodes, std::string pnode, Done<RingChange> done) {
  edit(
      "remap",
      [this, vnodes = std::move(vnodes), pnode = std::move(pnode)](const ring::Ring& now) {
        if (vnodes.empty()) throw Refusal("bad_argument", "no vnodes are named");
        require_vnodes(now, vnodes);
        require_pnode(*config(), now, pnode);
        RingEdit edit;
        edit.moved = not_owned_by(now, vnodes, pnode);
        edit.pnode = pnode;
        return edit;
      },
      std::move(done));
}

void RingControl::set_data(ring::VnodeSet vnodes, std::string data_json, Done<RingChange> done) {
  edit(
      "set-data",
      [vnodes = std::move(vnodes), data_json = std::move(data_json)](const ring::Ring& now) {
        if (vnodes.empty()) throw Refusal("bad_argument", "no vnodes are named");
        require_vnodes(now, vnodes);
        RingEdit edit;
        edit.marked = with_other_data(now, vnodes, data_json);
        edit.data_json = data_json;
        return edit;
      },
      std::move(done));
}

void RingControl::rollback(std::optional<std::uint64_t> generation, Done<RingChange> done) {
  const auto work = [this, generation, done, now = config(), before = base_.ring.ring]() -> Finish {
    ring::GenerationStore rings = store_of(*now, "rollback", elsewhere_);
    const ring::Generation wanted = generation_before(rings, generation);
    auto prepared = std::make_shared<std::optional<Prepared>>();
    std::uint64_t changed = 0;
    in_background([&] {
      auto loaded = rings.load(wanted);
      *prepared = prepare(*now, {std::move(loaded.ring), wanted.number}, *sources_, log_);
      changed = changed_between(*before, *(*prepared)->ring.ring);
    });
    return [this, done, now, wanted, changed, prepared] {
      if (auto refusal = machine_.commit((*prepared)->ring.ring->vnode_count(),
                                         (*prepared)->ring.ring->digest()))
        throw *std::move(refusal);
      run([this, done, now, wanted, changed, prepared]() -> Finish {
        store_of(*now, "rollback", elsewhere_).activate(wanted);
        return [this, done, changed, prepared] { put_in_force(**prepared, changed, done); };
      });
    };
  };
  Change change;
  change.kind = Change::Kind::rollback;
  change.what = "rollback";
  submit(std::move(change), {[work] { return Work(work); }, done, {}});
}

}  // namespace router
