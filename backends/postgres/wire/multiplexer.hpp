#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "backends/postgres/wire/pending.hpp"

namespace backends::postgres {

/// SQLSTATE of what the server would do, and this protocol can't serve.
inline constexpr const char* kNotServed = "MR002";

/// Why a connection ends whose answers are not those that are due: a fault of ours, or of libpq.
inline constexpr const char* kOutOfStep = "answers came out of step with what was asked";

/// In pipeline mode statements are sent as they come, otherwise one at a time.
enum class Mode : std::uint8_t { pipeline, single };

/// Which answer is whose, on one connection: what was sent, in its order; what libpq gives, in the
/// same order. Touches no socket and resumes nobody; its owner does what an outcome says. Lives on
/// its connection's worker. `take`: O(1) but for a group of reads that its last one decides.
class Multiplexer {
 public:
  explicit Multiplexer(Mode mode) : mode_(mode) {}

  /// It is sent now, or kept back (a Read that says so) and sent before any that is added after it.
  Pending& add(std::unique_ptr<Pending> pending);

  [[nodiscard]] bool empty() const { return queue_.empty(); }
  /// Of what was added, the unanswered, Syncs included.
  [[nodiscard]] std::size_t under_way() const { return queue_.size(); }
  /// Of what has been sent, something is unanswered.
  [[nodiscard]] bool due() const;
  /// Whether a statement of that vnode is unanswered. O(those in flight).
  [[nodiscard]] bool carries(std::uint32_t affinity) const;

  /// How many bytes of answers may wait for the look of a later one; what is over that fails as
  /// skipped.
  void keep_at_most(std::size_t bytes) { unchecked_bytes_most_ = bytes; }
  [[nodiscard]] std::size_t unchecked_bytes() const { return unchecked_bytes_; }

  struct Outcome {
    /// Answered, a chain in the order in which they were sent.
    std::unique_ptr<Pending> done;
    bool held = false;           ///< a taker wants no more until the connection's `resume`
    bool left_pipeline = false;  ///< the steps of a connection for one statement at a time are over
    std::string refused;         ///< not empty: why the connection has to end
    std::string unexpected;      ///< likewise: what came, and did not fit what is due
  };
  /// What libpq says of the first that is due: a result, which is freed here, or null, a command's
  /// end. Only while something is due. After what does not fit what is due, all that follows would
  /// be another's answer.
  Outcome take(PGresult* result);
  /// A pipeline's command has its result, and not its end, which libpq gives at once. Nothing may
  /// be sent before that is taken: if the command has failed, libpq drops the end of a command when
  /// it is given another one.
  [[nodiscard]] bool midway() const { return midway_; }
  /// The connection is lost: the chain of all, failed with that. What the server gave its verdict
  /// of before keeps it, but for reads whose check has not come, and steps without their last word.
  std::unique_ptr<Pending> lose(const std::string& problem);

  /// The name under which a statement is prepared on this connection; `fresh`: it has to be, now.
  struct Prepared {
    const std::string* name = nullptr;  ///< until the next call, and as long as the statement
    bool fresh = false;
  };
  Prepared prepared(const Statement& statement);
  /// Nothing is: the server was told so.
  void forget_prepared() { prepared_.clear(); }

 private:
  [[nodiscard]] std::optional<std::size_t> commands_left() const;
  [[nodiscard]] bool fits(const PGresult* result) const;
  [[nodiscard]] std::string unexpected(const PGresult* result) const;
  Outcome take_of(pending::Settings& front, PGresult* result);
  Outcome take_of(pending::Single& front, PGresult* result);
  Outcome take_of(pending::Read& front, PGresult* result);
  Outcome take_of(pending::EndOfReads& front, PGresult* result);
  Outcome take_of(pending::Script& front, PGresult* result);
  Outcome take_of(pending::Several& front, PGresult* result);
  Outcome take_rows(Awaited& front, const RowTaker& taker, PGresult* result);
  Outcome refuse_copy(Awaited& front);
  void fail(Awaited& front, PGresult* result);
  void failed_to_prepare(std::string& preparing);
  QueryError error_of(const PGresult* result);
  std::unique_ptr<Pending> pop();
  Outcome finish();
  std::unique_ptr<Pending> keep(std::unique_ptr<Pending> answered);
  std::unique_ptr<Pending> decide(std::unique_ptr<Pending> check);

  Mode mode_;
  bool heard_ = false, midway_ = false;  // of the first: a result has come, and no end after it
  std::deque<std::unique_ptr<Pending>> queue_;
  std::deque<std::unique_ptr<Pending>> unchecked_;  // reads that are answered but for their check
  std::size_t unchecked_bytes_ = 0;                 // of their rows
  std::size_t unchecked_bytes_most_ = 4 << 20;
  std::unordered_set<std::string> prepared_;
  std::string renamed_;
  unsigned epoch_ = 0;  // of prepared statements: older ones are forgotten, under their own names
};

}  // namespace backends::postgres
