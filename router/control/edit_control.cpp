// Edits of the ring in force, and its older generations.
#include <algorithm>
#include <charconv>

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "router/control/ring_control.hpp"
#include "router/log/log.hpp"

namespace router {

void RingControl::require_free(const char* what) const {
  if (auto refusal = pending_.against_change(what, lease_clock())) throw *std::move(refusal);
  if (auto refusal = against_awaited(what)) throw *std::move(refusal);
}

/// A pnode that the ring lacks may join it, where the configuration names its shard. With
/// electric-moray's configuration any URL would do for a shard: a misspelt one too.
void RingControl::require_pnode(const std::string& pnode) const {
  if (snapshot().ring->pnode_named(pnode)) return;
  const auto resolved = config::resolve_shards(*config_, {pnode});
  const bool named =
      resolved.problems.empty() &&
      (!config_->electric_moray || !resolved.shards.front().read_only) &&
      !(config_->shards_from_url &&
        std::none_of(config_->shards.begin(), config_->shards.end(),
                     [&](const config::Shard& shard) { return shard.pnode == pnode; }));
  if (!named)
    throw Refusal(
        "unknown_pnode",
        "pnode \"" + pnode + "\" is neither in the ring nor named in the configuration's shards");
}

/// A plan's row is read, and its vnodes are guarded, in PostgreSQL alone.
void RingControl::require_database(const std::string& pnode) const {
  const bool known =
      std::any_of(config_->shards.begin(), config_->shards.end(), [&](const config::Shard& shard) {
        return shard.pnode == pnode && shard.backend == config::Backend::postgres;
      });
  if (!known)
    throw Refusal("unknown_pnode",
                  "pnode \"" + pnode + "\" is no PostgreSQL shard of the configuration");
}

ring::GenerationStore RingControl::store(const char* what) const {
  if (!ring::GenerationStore::is_store(config_->ring_location))
    throw Refusal("no_store",
                  std::string(what) + " needs a store of generations, and " +
                      config_->ring_location +
                      " is a plain ring; make one with `moray-router ring store -l STORE " +
                      config_->ring_location + "` and reload with STORE as the ring's location");
  return ring::GenerationStore(config_->ring_location);
}

/// The edit is made in memory first: whatever is wrong with it is found before a file is touched.
void RingControl::remap(ring::VnodeSet vnodes, std::string pnode, Done<RingChange> done) {
  perform_in_background<RingChange>(
      std::move(done), [this, vnodes = std::move(vnodes), pnode = std::move(pnode)] {
        require_free("remap");
        if (vnodes.empty()) throw Refusal("bad_argument", "no vnodes are named");
        const ring::Ring& now = *snapshot().ring;
        require_vnodes(now, vnodes);
        require_pnode(pnode);
        RingEdit edit;
        edit.moved = not_owned_by(now, vnodes, pnode);
        edit.pnode = pnode;
        if (edit.moved.empty()) return unchanged();
        static_cast<void>(prepare_for(*config_, {remapped(now, edit.moved, pnode), 0}));
        return put_in_force(prepare_for(*config_, edit_ring(config_->ring_location, edit)),
                            edit.moved.size());
      });
}

void RingControl::set_data(ring::VnodeSet vnodes, std::string data_json, Done<RingChange> done) {
  perform_in_background<RingChange>(
      std::move(done), [this, vnodes = std::move(vnodes), data_json = std::move(data_json)] {
        require_free("set-data");
        if (vnodes.empty()) throw Refusal("bad_argument", "no vnodes are named");
        const ring::Ring& now = *snapshot().ring;
        require_vnodes(now, vnodes);
        RingEdit edit;
        edit.marked = with_other_data(now, vnodes, data_json);
        edit.data_json = data_json;
        if (edit.marked.empty()) return unchanged();
        static_cast<void>(prepare_for(*config_, {with_data(now, edit.marked, data_json), 0}));
        return put_in_force(prepare_for(*config_, edit_ring(config_->ring_location, edit)),
                            edit.marked.size());
      });
}

void RingControl::rings(Done<std::vector<ring::Generation>> done) {
  perform<std::vector<ring::Generation>>(std::move(done), [this] { return store("rings").list(); });
}

void RingControl::rollback(std::optional<std::uint64_t> generation, Done<RingChange> done) {
  perform_in_background<RingChange>(std::move(done), [this, generation] {
    require_free("rollback");
    ring::GenerationStore rings = store("rollback");
    const auto all = rings.list();
    const std::uint64_t current = rings.current().number;
    const ring::Generation* wanted = nullptr;
    for (const ring::Generation& each : all)
      if (generation ? each.number == *generation : each.number < current) wanted = &each;
    if (wanted == nullptr)
      throw Refusal("unknown_generation",
                    generation ? "the store has no generation " + std::to_string(*generation)
                               : "the store has no generation before " + std::to_string(current));
    auto loaded = ring::GenerationStore::load(*wanted);
    Prepared prepared = prepare_for(*config_, {std::move(loaded.ring), loaded.generation.number});
    rings.activate(loaded.generation);
    return put_in_force(std::move(prepared), 0);
  });
}

std::shared_ptr<const ring::Ring> RingControl::ring_named(const std::string& name) const {
  if (name.empty()) return snapshot().ring;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return load_ring(name).ring;
  const auto generation = store("diff").find(number);
  if (!generation) throw Refusal("unknown_generation", "the store has no generation " + name);
  return ring::GenerationStore::load(*generation).ring;
}

void RingControl::diff(std::string from, std::string to, Done<ring::Difference> done) {
  perform_in_background<ring::Difference>(std::move(done),
                                          [this, from = std::move(from), to = std::move(to)] {
                                            return difference(*ring_named(from), *ring_named(to));
                                          });
}

}  // namespace router
