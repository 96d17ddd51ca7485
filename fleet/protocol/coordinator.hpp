#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordination/requests.hpp"
#include "fleet/protocol/requests.hpp"
#include "fleet/protocol/state.hpp"

namespace fleet {

/// What a coordinator asks of the service beside `ask::Touch` and `ask::Look`, one request at a
/// time.
namespace ask {
/// To be answered by all entries of the roster.
struct ReadRoster {};
/// To be answered by what each of these says, and by the entry that it has now.
struct ReadAnswers {
  std::vector<std::string> ids;
};
/// All or nothing, where state (and blocks) are at that version.
struct Write {
  State state;
  std::int32_t version = 0;
  std::optional<Blocks> blocks;
  std::int32_t blocks_version = 0;
  std::string note;  ///< for people, where the state does not say what was done
};
}  // namespace ask
using CoordinatorRequest =
    std::variant<ask::Touch, ask::Look, ask::ReadRoster, ask::ReadAnswers, ask::Write>;

using Roster = std::map<std::string, Entry>;
struct Heard {
  std::optional<Entry> entry;
  std::optional<Answer> answer;
};

/// What a coordinator is to bring about.
namespace intent {
struct Publish {
  std::string digest;  ///< of a ring whose image is there
  bool drains = true;
  /// It is published only if the ring in force has this digest: the change was made from it.
  std::string base;
};
struct Block {
  std::string vnodes;  ///< the digest of an image that is there
  bool waits = true;
};
struct Unblock {
  std::string token;  ///< of the change that blocked
};
/// Somebody else's change, which nobody takes further: committed, or abandoned where it was not.
struct Close {
  std::string token;
  std::uint64_t seq = 0;  ///< the step that it has stood at
  /// A person says so of a cutover whose plan's row is: it is committed, if it is blocked.
  bool commits = false;
};
/// A cutover of a plan of resharding, which its owner takes as far as it says (`aim`). Where a
/// change of that plan is open already, which a coordinator before has left, it goes on with that.
struct Cutover {
  PlanName plan;
  std::string digest, base;  ///< as in Publish
};
}  // namespace intent
using Intent =
    std::variant<intent::Publish, intent::Block, intent::Unblock, intent::Close, intent::Cutover>;

/// How far the owner of a cutover wants it.
enum class Aim : std::uint8_t {
  found,      ///< what is there is taken up; nothing is opened, and nothing is written
  prepare,    ///< open, and all members have answered
  block,      ///< all have answered that
  activate,   ///< the plan's row is committed: no answer to `block` is waited for any more
  committed,  ///< closed so; its owner knows that all have activated, or that all leases are over
  abandoned,  ///< closed so: the plan's row is not committed, and this attempt's never will be
};

struct CoordinatorOptions {
  std::string token;  ///< never used before: of the change, and of what this coordinator writes
  std::string who, why;
  std::int64_t opened_at = 0;  ///< Unix time, seconds
  std::chrono::milliseconds lease{4'000};
  std::chrono::milliseconds prepare_limit{60'000};
  std::chrono::milliseconds open_limit{30'000};  ///< for another change to be closed
  bool indeterminate_is_fine = false;            ///< an operator has said so
};

/// What has become of it.
struct Ending {
  enum class Kind : std::uint8_t {
    committed,
    abandoned,  ///< nothing has changed
    overtaken,  ///< another coordinator has gone on with it, or closed it: see the state
    refused,    ///< by the service; what is open is closed by any member
    /// A cutover alone: the service was not reached, or another change was open all the time.
    unreached,
  };
  Kind kind = Kind::abandoned;
  std::string why;  ///< for people, where it is not committed
};

/// Brings a change about at all members of a fleet, or closes one that was left (docs/fleet.md).
/// Pure and driven as `Member` is. It may be stopped at any instant, and go on at any later one:
/// each write names the version that it follows, so that a coordinator that was overtaken writes
/// nothing.
class Coordinator {
 public:
  Coordinator(CoordinatorOptions options, Intent intent, std::chrono::nanoseconds now);

  void session_began(std::chrono::nanoseconds now);
  void connection(bool there, std::chrono::nanoseconds now);
  /// Something was written that it may wait for.
  void changed(std::chrono::nanoseconds now) { poll_at_ = now; }
  [[nodiscard]] std::optional<CoordinatorRequest> next_request(std::chrono::nanoseconds now);
  void told(coordination::Outcome outcome, std::chrono::nanoseconds now);
  void seen(const Seen& seen, std::chrono::nanoseconds now);
  void roster(Roster roster, std::chrono::nanoseconds now);
  void heard(const std::map<std::string, Heard>& answers);

  /// When to ask for a request though no event has come; nullopt: not before one does.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> wake(std::chrono::nanoseconds now) const;
  [[nodiscard]] const std::optional<Ending>& ending() const { return ending_; }
  /// Of a cutover. Never back from `activate` or `committed`. Its limits are the owner's: a stage
  /// lasts, though members refuse or are silent, until the owner wants another one.
  void aim(Aim aim) {
    if (aim != std::exchange(aim_, aim)) refusal_.clear();
  }
  /// All members have answered to the stage that is wanted.
  [[nodiscard]] bool reached() const;
  /// Why that is not to be expected; empty: it may be.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

  /// For people: members that have not answered, or the change that is open; empty: for nobody.
  [[nodiscard]] const std::string& waits_for() const {
    return std::holds_alternative<Opening>(phase_) ? other_ : missing_;
  }
  /// What it has written or read last.
  [[nodiscard]] const State& state() const { return state_; }

 private:
  /// For no change to be open, or for the one that it is to close.
  struct Opening {};
  /// What a write leads to.
  enum class Then : std::uint8_t { count, gather, end_committed, end_abandoned };
  struct Writing {
    ask::Write write;
    Then then = Then::count;
    bool in_doubt = false;    // whether it was done: a look says
    bool maybe_done = false;  // an answer of it was lost
  };
  /// Who must agree: as the roster is after the change was opened, since nobody joins meanwhile.
  struct Counting {};
  /// For each member's answer to the stage at hand.
  struct Gathering {
    std::chrono::nanoseconds limit{};
    bool all = false;  // of a cutover: they have answered
  };

  [[nodiscard]] std::optional<CoordinatorRequest> request_of(std::chrono::nanoseconds now);
  [[nodiscard]] std::chrono::nanoseconds limit_of(Stage stage, std::chrono::nanoseconds now) const;
  void adopt(const Seen& seen);
  void open(const Seen& seen);
  void take_up(const Seen& seen, const intent::Cutover& cutover);
  void say_other(const Seen& seen);
  [[nodiscard]] std::string other_ring(const std::string& base) const;
  void step_to_aim();
  [[nodiscard]] bool is_cutover() const { return std::holds_alternative<intent::Cutover>(intent_); }
  void take_up(const Seen& seen, const intent::Close& close);
  void unblock(const Seen& seen, const std::string& token);
  void resolve(const Seen& seen, std::chrono::nanoseconds now);
  void compare(const Seen& seen);
  [[nodiscard]] bool is_as_known(const Seen& seen) const {
    return seen.version == version_ && seen.state.by == state_.by;
  }
  void end_overtaken(const State& found);
  [[nodiscard]] std::string objection_to(const Entry& entry) const;
  void written(std::chrono::nanoseconds now);
  void all_agreed();
  void block();
  void commit(Then then);
  void close(bool committed);
  void abandon(const std::string& why);
  void limit_passed();
  void write(State next, std::optional<Blocks> blocks, Then then);
  void end(Ending::Kind kind, std::string why = {});

  CoordinatorOptions options_;
  Intent intent_;
  std::variant<Opening, Writing, Counting, Gathering> phase_;
  std::chrono::nanoseconds began_, poll_at_{}, retry_at_{};
  bool connected_ = false, fresh_ = false;
  bool stale_ = false;  // what it knows of the state is a former session's
  std::optional<CoordinatorRequest> request_;
  State state_;
  std::int32_t version_ = 0;
  Blocks blocks_;
  std::int32_t blocks_version_ = 0;
  std::string token_;  // of the change that it works on
  std::uint64_t writes_ = 0;
  Roster roster_;
  std::string missing_;  // members that have not answered yet, for people
  std::string why_;      // it is abandoned
  std::string other_;    // change that is open, for people
  Aim aim_ = Aim::prepare;
  std::string refusal_;  // of a cutover, to the stage at hand
  std::optional<Ending> ending_;
};

}  // namespace fleet
