#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ring/load.hpp"
#include "ring/ring.hpp"

namespace ring {

/// A ring of a store: a directory of node-fash's form that is never edited again.
struct Generation {
  std::uint64_t number = 0;  ///< from 1, ascending with time
  std::string digest;        ///< of the ring (docs/ring.md)
  std::filesystem::path directory;
  std::chrono::system_clock::time_point created;
  bool current = false;
};

struct LoadedGeneration {
  Generation generation;
  std::shared_ptr<const Ring> ring;
};

/// A directory that keeps rings by number and digest:
///
///     <store>/17-<digest>/    a ring, as node-fash stores it; immutable
///     <store>/current         a symbolic link to one of them, replaced by rename
///     <store>/pending         a record of a ring that is staged for activation, if any
///     <store>/history         a line for each ring that came into force: its number, and that of
///                             the one that it came after
///
/// A change stages a new directory aside (`.staging…`), has it on disk, renames it to its number,
/// and only then moves `current`: a crash at any instant leaves the old ring or the new one in
/// force, whole. Tables are hard links of the older generation's, so that staging a ring of
/// 1,000,000 vnodes copies little. Changes hold `<store>/lock`, so that processes take turns.
/// Any thread; one object is used by one thread at a time. Failures throw RingError or
/// std::system_error, naming the path.
class GenerationStore {
 public:
  static constexpr std::size_t kKeep = 20;

  /// `elsewhere`: reads rings that were stored before, and edits their copies, in another process;
  /// empty: that is done in this.
  explicit GenerationStore(std::filesystem::path directory, Load elsewhere = {})
      : directory_(std::move(directory)), elsewhere_(std::move(elsewhere)) {}

  /// Whether a ring's location is a store and not a plain directory of node-fash's.
  static bool is_store(const std::filesystem::path& directory);
  /// Whether a directory is a generation of a store, which nobody may edit.
  static bool is_generation(const std::filesystem::path& directory);

  [[nodiscard]] std::vector<Generation> list() const;  ///< ascending
  [[nodiscard]] Generation current() const;
  [[nodiscard]] std::optional<Generation> find(std::uint64_t number) const;
  [[nodiscard]] std::optional<Generation> find(std::uint64_t number,
                                               const std::string& digest) const;
  /// The one with the highest number that is this ring.
  [[nodiscard]] std::optional<Generation> newest(const std::string& digest) const;
  /// The number of the one that was in force when that one came into force first; where an older
  /// program kept the store, the highest number below its own. nullopt: it was the first.
  [[nodiscard]] std::optional<std::uint64_t> before(const Generation& generation) const;

  /// Every check of `load_leveldb`, and that the directory's name tells the ring's true digest.
  [[nodiscard]] LoadedGeneration load(const Generation& generation) const;

  /// Makes the next generation: a copy of the current one that `edit` changes in place (a
  /// directory of node-fash's form). Not current yet; an equal one that is staged already is taken.
  /// `number`: what others have given it; nullopt: the next one of this store.
  LoadedGeneration stage_edit(const DirectoryEdit& edit,
                              std::optional<std::uint64_t> number = std::nullopt);
  /// The same, of a whole ring. Makes the store's directory where there is none.
  LoadedGeneration stage_ring(const Ring& ring, std::optional<std::uint64_t> number = std::nullopt);
  /// Does on disk what `stage_edit` would do, up to its last step, and leaves nothing of it: what
  /// fails there fails here. The ring's digest.
  [[nodiscard]] std::string rehearse_edit(const DirectoryEdit& edit);
  [[nodiscard]] std::string rehearse_ring(const Ring& ring);  ///< as `stage_ring`

  /// Moves `current`: on disk when it returns.
  void activate(const Generation& generation);
  /// Forgets the oldest generations beyond `keep`, never the current nor a pending one.
  void forget_old(std::size_t keep = kKeep);
  /// Forgets those that have the current one's number or a higher one: where numbers come from
  /// others, they are of an older numbering, or were staged for what has not come about.
  void forget_not_below_current();
  /// Removes a generation that is not current.
  void drop(const Generation& generation);

  /// The pending record's text, whole or not there at all; empty: none.
  [[nodiscard]] std::string pending() const;
  void set_pending(const std::string& text);  ///< empty: removes it

 private:
  class Lock;
  class Staging;
  LoadedGeneration finish(const Staging& staging, std::optional<std::uint64_t> number);
  void remove(const Generation& generation);
  void remove_leftovers();

  std::filesystem::path directory_;
  Load elsewhere_;
};

}  // namespace ring
