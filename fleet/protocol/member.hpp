#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "coordination/requests.hpp"
#include "fleet/protocol/requests.hpp"
#include "fleet/protocol/state.hpp"

namespace fleet {

struct MemberOptions {
  std::string id, incarnation;  ///< the process's own: never used before
  Entry entry;  ///< what else the roster is told; incarnation and ring are filled in
  std::chrono::milliseconds session{10'000};
  std::chrono::milliseconds look_every{2'000};
  /// How long a start with membership waits for the service, before it serves by its own ring.
  std::chrono::milliseconds start_wait{3'000};
  bool start_waits = false;  ///< for ever instead
  /// The process before this one did not end by itself, so long ago at most: writes that it sent to
  /// shards may be done yet.
  std::chrono::milliseconds grace{0};
};

/// What a member finds on its disk.
struct OnDisk {
  std::optional<Membership> membership;
  std::optional<Record> record;
  Blocks blocks;
  RingName ring;  ///< in force
};

/// One router of a fleet: what it asks of the service in which the fleet agrees, what it does to
/// its ring, and what it may serve (docs/fleet.md). Pure: no socket, file, clock or thread; events
/// come in with their time (`lease_clock`), after each of which the owner takes `next_request` and
/// `next_work` until both have nothing. Lives on one thread. Each call: O(blocks).
///
/// It goes by what it knows, not by what it waits for: each step follows from the newest state that
/// it has seen, from what its disk says, and from the ring in force. So a step that has failed, or
/// whose answer is lost, or that a process before has left half done, is done by the same lines.
class Member {
 public:
  Member(MemberOptions options, OnDisk disk, std::chrono::nanoseconds now);

  // The session.

  /// A new one, of which nothing is known: what it reads may be older than what the last one read.
  void session_began(std::chrono::nanoseconds now);
  /// Whether requests get through. Those that were under way are told, as unknown, before.
  void connection(bool there, std::chrono::nanoseconds now);
  /// Something was written that a look may see.
  void changed(std::chrono::nanoseconds now);
  [[nodiscard]] std::optional<Request> next_request(std::chrono::nanoseconds now);
  /// What the request has come to; `failed`: which part of it said so.
  void told(coordination::Outcome outcome, std::size_t failed, std::chrono::nanoseconds now);
  void seen(Seen seen, std::chrono::nanoseconds now);
  /// What it has looked at is of a version of the protocol that this program does not speak: it
  /// does not begin to serve. One that serves goes on, as where it hears nothing.
  void saw_newer() { newer_ = true; }

  // Disk and ring.

  [[nodiscard]] std::optional<Work> next_work(std::chrono::nanoseconds now);
  void did(std::chrono::nanoseconds now);
  /// `Stage` or `Take` can't be done: now (it is tried again), or `for_good`.
  void failed(const std::string& why, bool for_good, std::chrono::nanoseconds now);
  /// No write that was sent before `holding()` began is under way.
  void drained(std::uint64_t indeterminate, std::chrono::nanoseconds now);

  // A plan of resharding, whose row decides where the service, or the plan's coordinator, is
  // silent.

  /// To be asked of a database now, one at a time.
  [[nodiscard]] std::optional<RowQuestion> next_question(std::chrono::nanoseconds now);
  /// The answer to it, in the time of which nobody else could know more.
  void row_said(RowSays says, std::chrono::nanoseconds now);

  /// Nothing is served any more, and nothing is under way: the process is to end.
  void leave(std::chrono::nanoseconds now);

  // What it may do.

  /// When to ask again what it may do, and for requests and work, though no event has come;
  /// nullopt: not before one does. Later than `now`.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> wake(std::chrono::nanoseconds now) const;
  /// Whether it serves.
  [[nodiscard]] bool listens(std::chrono::nanoseconds now);
  /// For the vnodes of the change that it knows of.
  [[nodiscard]] Door door(std::chrono::nanoseconds now) const;
  /// Writes to those wait, and the owner says when the earlier ones have ended. Each time that it
  /// begins anew.
  [[nodiscard]] bool holding() const { return holding_; }
  /// A change is open to which this member has not agreed, though all must have: its disk is older
  /// than it should be. The door is for all vnodes, until the change's are known.
  [[nodiscard]] bool in_doubt() const { return doubt_.has_value(); }
  [[nodiscard]] const Blocks& blocks() const { return disk_.blocks; }
  [[nodiscard]] const RingName& ring() const { return disk_.ring; }
  /// Of any state that it has seen, also before it started.
  [[nodiscard]] std::uint64_t highest_seq() const { return highest_seq_; }
  /// By the session that it has now it has seen a state that it goes by.
  [[nodiscard]] bool follows() const { return followed_ && !back_since_; }
  /// As the roster has it, or is to have it.
  [[nodiscard]] Entry entry() const;
  [[nodiscard]] const std::optional<Record>& record() const { return disk_.record; }
  /// By its own clock: no read has succeeded for a session's time.
  [[nodiscard]] bool out_of_touch(std::chrono::nanoseconds now) const;
  /// When the last read has succeeded, or it began.
  [[nodiscard]] std::chrono::nanoseconds seen_at() const { return seen_at_; }
  /// The change that is open has not moved for so long that any may close it who sees it.
  [[nodiscard]] bool close_is_due(std::chrono::nanoseconds now) const;
  [[nodiscard]] const std::optional<Seen>& view() const { return view_; }
  /// For a minute all that was read was older than what had been read before: the service has been
  /// restored to its past, which is not followed.
  [[nodiscard]] bool service_went_back(std::chrono::nanoseconds now) const;
  /// Another process lives under its name, so that it can't join.
  [[nodiscard]] bool has_twin(std::chrono::nanoseconds now) const;
  /// It has left: the process may end.
  [[nodiscard]] bool has_left() const { return std::holds_alternative<Left>(life_); }
  [[nodiscard]] bool is_inside() const { return std::holds_alternative<Inside>(life_); }

 private:
  struct Outside {
    bool in_roster;  // membership is not on disk yet
  };
  struct Inside {};
  struct Leaving {};
  struct Left {};

  /// A change is what the record is about.
  [[nodiscard]] bool is_records(const Change& change) const {
    return disk_.record && disk_.record->token == change.token;
  }
  /// Null: none is open.
  [[nodiscard]] const Change* change() const;
  [[nodiscard]] bool has_ring_in_force() const;
  [[nodiscard]] bool settled() const;

  // member_row.cpp
  [[nodiscard]] bool follows_row() const;
  [[nodiscard]] bool has_next() const;
  [[nodiscard]] bool decided_by_row() const { return row_ == RowSays::decided && follows_row(); }
  [[nodiscard]] std::optional<std::chrono::nanoseconds> question_at() const;
  [[nodiscard]] Door door_of_plan(std::chrono::nanoseconds now) const;
  void forget_row();

  [[nodiscard]] std::chrono::nanoseconds renewal_at() const;
  [[nodiscard]] bool wants_renewal(std::chrono::nanoseconds now) const;
  [[nodiscard]] std::optional<Answer> wanted_answer() const;
  [[nodiscard]] std::optional<Request> request_of(std::chrono::nanoseconds now) const;
  [[nodiscard]] std::optional<Request> request_outside() const;
  [[nodiscard]] std::optional<Request> request_leaving() const;
  [[nodiscard]] std::optional<Request> request_inside() const;
  void told_done(const Request& request);
  [[nodiscard]] bool is_of_before(const Seen& seen) const;
  void judge_entry(const Seen& seen);
  void removed();
  void end_if_gone();

  [[nodiscard]] std::optional<Work> work_of() const;
  [[nodiscard]] std::optional<Work> work_outside() const;
  [[nodiscard]] std::optional<Work> work_inside() const;
  [[nodiscard]] std::optional<Work> work_decided() const;
  [[nodiscard]] std::optional<Work> work_open(const Change& change) const;
  [[nodiscard]] std::optional<Work> work_agreed(const Change& change) const;
  [[nodiscard]] std::optional<Work> work_committed() const;
  [[nodiscard]] bool entry_is_old() const;
  [[nodiscard]] bool may_write_entry() const;
  [[nodiscard]] Membership membership() const;
  [[nodiscard]] bool has_staged(const Change& change) const {
    return staged_ && *staged_ == change.token;
  }
  void follow();

  MemberOptions options_;
  OnDisk disk_;
  std::variant<Outside, Inside, Leaving, Left> life_;
  std::chrono::nanoseconds started_;

  bool connected_ = false;
  bool fresh_ = false;     // this session has written: what it reads is not older than that
  bool shown_ = false;     // that it lives, by this session
  bool followed_ = false;  // a state was taken from this session
  bool newer_ = false;     // what was looked at last is of a later version
  bool joins_ = false;     // a join was sent, and no look since has shown whether it was done
  std::optional<std::chrono::nanoseconds> touched_;  // when its last touch began
  std::optional<Request> request_;
  std::chrono::nanoseconds asked_{};               // when it was made
  std::optional<std::chrono::nanoseconds> basis_;  // of a look: the touch before it
  std::chrono::nanoseconds look_at_{}, retry_at_{};

  std::optional<Seen> view_;
  std::uint64_t highest_seq_ = 0;
  std::chrono::nanoseconds seen_at_, seq_since_{};
  std::optional<std::chrono::nanoseconds> back_since_, twin_since_;
  std::optional<std::string> open_at_first_;   // the change that was open when it looked first
  bool gone_ = false;                          // leaving: the roster has it no more
  std::optional<std::int32_t> entry_version_;  // of its entry, as it is known to be its own
  std::optional<Entry> entry_written_;         // once it was its own
  std::optional<Answer> answered_;

  std::optional<Work> work_;
  std::chrono::nanoseconds work_at_{};
  std::optional<std::string> staged_;  // the token of the change, in this process
  std::optional<std::string> doubt_;   // the token of a change that it has not agreed to
  std::optional<Answer> refusal_;
  std::optional<Membership> found_;  // on disk, when the process began
  bool holding_ = false;
  std::optional<std::uint64_t> drained_;    // with so many that are indeterminate
  std::chrono::nanoseconds lease_until_{};  // 0: no lease
  std::chrono::nanoseconds activated_at_{};
  bool listening_ = false;

  /// A question about the plan of the record that has this token.
  struct Asked {
    std::string token;
    bool at_target;
    std::chrono::nanoseconds at;
  };
  std::optional<Asked> question_;
  std::optional<RowSays> row_;              // of the record's plan, as its source has said last
  bool target_open_ = false;                // as its target has said
  std::chrono::nanoseconds row_until_{};    // by an answer of the source's: as lease_until_
  std::chrono::nanoseconds question_at_{};  // not before
};

}  // namespace fleet
