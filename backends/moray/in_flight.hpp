#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "backends/moray/load.hpp"
#include "backends/shard.hpp"

namespace backends::moray {

/// The requests of one connection whose answer is outstanding, by message id. No I/O. Lives on one
/// worker; every call is O(1) but for the two that say otherwise.
class InFlight {
 public:
  struct Entry {
    ReplySink* sink = nullptr;  ///< null: of a read that nobody waits for
    std::uint64_t waited = 0;   ///< the ticket that it had while it waited; 0: it did not
    std::uint32_t affinity = 0;
    bool prompt = false;    ///< its answer is due within seconds
    bool write = false;     ///< its order matters
    bool given_up = false;  ///< nobody waits for its answer
    bool ordered = false;   ///< counted among the live writes of its vnode
    bool unsent = false;    ///< nothing of it was written; known when the connection is over
  };
  using Entries = boost::unordered_flat_map<std::uint32_t, Entry>;

  explicit InFlight(Load& load) : load_(load) {}

  /// Whether a moray that works answers this request within seconds.
  [[nodiscard]] static bool expects_prompt_answer(const Request& request);
  /// Takes the next free message id for it.
  std::uint32_t add(const Request& request, ReplySink& sink, std::uint64_t waited);
  /// null: no such id. Valid until the next `add`.
  [[nodiscard]] const Entry* find(std::uint32_t message_id) const;
  /// Gives the id back.
  std::optional<Entry> remove(std::uint32_t message_id);
  /// Its id stays taken until its answer has come, which is due now, however long it may take.
  void give_up(std::uint32_t message_id);
  /// Of a read that was given up: its sink is forgotten, its answer is swallowed. False: it is a
  /// write, whose end somebody waits for.
  bool forget_read(std::uint32_t message_id);
  /// Nothing of it was written.
  void mark_unsent(std::uint32_t message_id);
  Entries remove_all();

  /// From now on counts live writes by vnode: those that are here (O(requests)) and those to come.
  /// Until they are answered or given up, also beyond `stop_ordering`.
  void order_writes();
  void stop_ordering() { ordering_ = false; }
  [[nodiscard]] bool has_live_write(std::uint32_t affinity) const {
    return live_writes_.contains(affinity);
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t prompt() const { return prompt_; }
  [[nodiscard]] std::size_t given_up() const { return given_up_; }

 private:
  void count_write(Entry& entry);
  void forget_write(Entry& entry);
  void forget(Entry& entry);

  Load& load_;
  Entries entries_;
  boost::unordered_flat_map<std::uint32_t, std::size_t> live_writes_;  // by affinity
  std::uint32_t last_message_id_ = 0;
  std::size_t prompt_ = 0;
  std::size_t given_up_ = 0;
  bool ordering_ = false;
};

}  // namespace backends::moray
