#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ring/hash.hpp"

namespace ring {

/// A ring's position: 0 to vnode_count - 1.
enum class Vnode : std::uint32_t {};
/// An index into Ring::pnodes().
enum class PnodeIndex : std::uint16_t {};

constexpr std::uint32_t number(Vnode vnode) { return static_cast<std::uint32_t>(vnode); }
constexpr std::uint16_t number(PnodeIndex pnode) { return static_cast<std::uint16_t>(pnode); }

/// Where a key belongs.
struct Location {
  Vnode vnode{};
  PnodeIndex pnode{};
  bool operator==(const Location&) const = default;
};

/// What a Ring is made of; whole, checked by Ring::make.
struct RingParts {
  Algorithm algorithm = Algorithm::sha256;
  std::string interval_hex;  ///< VNODE_HASH_INTERVAL; as stored
  std::string version = "2.1.0";
  std::vector<std::string> pnodes;    ///< in /PNODE order; unique
  std::vector<std::uint16_t> owners;  ///< by vnode: index into pnodes; its size is the count
  std::vector<std::pair<std::uint32_t, std::string>> data;  ///< vnode and JSON text, where not 1
};

/// Which shard owns which part of the key space. Immutable: made, shared, replaced whole.
/// Any thread. A ring of 1,000,000 vnodes takes 2 to 3 MB.
class Ring {
 public:
  /// Throws std::invalid_argument naming what is wrong (pnode index out of range, doubled pnode
  /// names, interval not hex, zero or too small, vnode of data out of range, no vnodes …). Names
  /// that only a LevelDB ring can't hold together are that store's to refuse. O(vnodes).
  static std::shared_ptr<const Ring> make(RingParts parts);

  /// Owner of an already transformed key (UTF-8). nullopt: the hash lies in the top remainder
  /// behind the last vnode (ring notes, section 1), which no real key reaches.
  [[nodiscard]] std::optional<Location> locate(std::string_view transformed_key) const;
  [[nodiscard]] std::optional<Location> locate_hash(const Digest& digest) const;

  [[nodiscard]] PnodeIndex owner(Vnode vnode) const;  ///< O(1)
  [[nodiscard]] std::uint32_t vnode_count() const;
  [[nodiscard]] std::span<const std::string> pnodes() const;
  [[nodiscard]] const std::string& pnode_name(PnodeIndex pnode) const;
  [[nodiscard]] std::optional<PnodeIndex> pnode_named(std::string_view name) const;

  /// The vnode's data as JSON text: `1` means none. O(1) where the ring holds no data, else O(log).
  [[nodiscard]] std::string_view data_json(Vnode vnode) const;
  /// True where the data is exactly the string "ro".
  [[nodiscard]] bool read_only(Vnode vnode) const;
  /// True where any vnode has data other than 1 (electric-moray's `ro_`).
  [[nodiscard]] bool any_data() const;
  /// Vnodes with data other than 1, ascending.
  [[nodiscard]] std::vector<Vnode> data_vnodes() const;
  /// The vnodes of one pnode, ascending. O(vnodes).
  [[nodiscard]] std::vector<Vnode> vnodes_of(PnodeIndex pnode) const;

  [[nodiscard]] Algorithm algorithm() const;
  [[nodiscard]] const std::string& interval_hex() const;
  [[nodiscard]] const std::string& version() const;

  /// SHA-256, lower-case hex, over what the ring means and not how it is stored (docs/ring.md).
  /// Computed once by `make`.
  [[nodiscard]] const std::string& digest() const;

  /// The memory it holds, in bytes.
  [[nodiscard]] std::size_t bytes() const;

  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

 private:
  struct State;
  explicit Ring(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace ring
