#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backends/shard.hpp"
#include "budget/budget.hpp"
#include "fast/error_payload.hpp"
#include "fast/frame.hpp"
#include "router/plan/methods.hpp"
#include "router/plan/plan.hpp"
#include "router/serve/active_ring.hpp"
#include "router/serve/client_port.hpp"
#include "router/serve/deadline_wheel.hpp"
#include "router/serve/held_writes.hpp"
#include "router/serve/shard_turns.hpp"

namespace router {

struct DispatchContext;

/// One client request from its first byte to its last frame. Lives on one worker.
///
/// It outlives its client where it must: a request that was sent keeps its slot until the shard's
/// late answer has been swallowed, so that an answer can never reach the wrong client.
class Exchange : public DeadlineWheel::Entry, public HeldHook, protected Turns::Waiting {
 public:
  using Clock = DeadlineWheel::Clock;

  /// What a client's frame asked for.
  struct Origin {
    ClientPort* client = nullptr;
    std::uint32_t message_id = 0;
    fast::Version version = fast::Version::v2;
    const Method* method = nullptr;
    ActiveRingPointer ring;
    std::optional<std::chrono::milliseconds> deadline;  ///< nullopt: none
    Clock::time_point started;
    budget::Charge charge;  ///< for the request, on its way and where it waits
  };
  /// What a request of `bytes` counts for: its copies and what is known of it.
  [[nodiscard]] static constexpr std::size_t cost_of(std::size_t bytes) { return 1024 + 2 * bytes; }
  /// And for the tree that some shards make of it: `[0,0,0` takes twenty times its text there.
  [[nodiscard]] static constexpr std::size_t cost_of_tree(std::size_t tokens) {
    return 24 * tokens;
  }

  /// The gate lets no such write through now: it waits, whole. `payload` is copied. Room for it has
  /// been taken.
  void hold(std::string_view payload);
  /// The gate has changed: plans the held write anew, on today's ring, and sends it, answers it, or
  /// holds it again, after those held since.
  void go_on();

  /// The client is gone: nothing more is written.
  virtual void abandon() = 0;
  /// The client may be gone: from now on there is a deadline, where there was none.
  void limit_wait();
  /// The client's output has drained: streams may go on.
  virtual void resume() = 0;

  [[nodiscard]] std::size_t cost() const { return origin_.charge.bytes(); }
  [[nodiscard]] std::uint32_t message_id() const { return origin_.message_id; }
  void on_deadline() final;
  /// It ends only when its client says so: a listen.
  [[nodiscard]] bool endless() const { return origin_.method->rpc == backends::Rpc::listen; }

 protected:
  explicit Exchange(DispatchContext& context) : context_(context) {}

  void open(Origin origin);
  /// The exchange is over, its shards have forgotten it.
  void over();

  void await_answer();  ///< until the request's deadline, where it has one
  void await_more();    ///< a stream's next part, until the idle limit
  void await_nothing();
  /// It is answered, and its shard goes on: it is given up after this turn, since the shard may be
  /// calling us.
  void give_up_soon() { await(Awaited::more, Clock::now()); }

  [[nodiscard]] bool answered() const { return origin_.client == nullptr; }
  /// True where a stream must pause: the client has more output waiting than it takes. The client
  /// then calls `resume`.
  [[nodiscard]] bool client_is_full() const {
    if (origin_.client == nullptr || !origin_.client->stream_waits()) return false;
    origin_.client->stream_paused();
    return true;
  }
  [[nodiscard]] std::chrono::milliseconds elapsed() const;
  [[nodiscard]] const Origin& origin() const { return origin_; }

  /// Whether the shard of that number may hold this request, too, by the memory that it has. One
  /// that takes nothing can't have the others'.
  [[nodiscard]] bool room_at(std::size_t pnode) const;
  /// The request is with the shard of that number until the part ends.
  void begin_part(ShardTurns::Part& part, std::size_t pnode) const;
  /// A request like this one waits at the shard of that number. O(1).
  [[nodiscard]] bool must_wait(std::size_t pnode) const;
  /// Where it must, the request, `payload` as the client has sent it, waits for its turn at the
  /// shard of that number.
  [[nodiscard]] bool waits_for_turn(std::size_t pnode, std::string_view payload);

  /// Writes one frame of `pieces`; `checksum` where it is known for this client's version.
  void write_frame(fast::Status status, std::span<const std::string_view> pieces,
                   std::optional<std::uint16_t> checksum = std::nullopt);
  void write_values(std::string_view elements);  ///< one DATA frame of the router's own
  void write_end();                              ///< an END frame of the router's own
  void write_error(const fast::Error& error);
  /// The last frame is written: the client is told and forgotten, the request counted.
  void close_client(bool failed);
  /// The client went away: it is forgotten without a word.
  void forget_client() { origin_.client = nullptr; }
  [[nodiscard]] bool held() const { return HeldHook::is_linked(); }
  [[nodiscard]] bool in_line() const { return Waiting::waits(); }
  /// The write is refused, with the words of a read-only vnode: it was held for too long. Over.
  void give_up_hold();
  /// The client of a held write is gone: it is never sent. Over.
  void drop_held();
  /// So is the client of one that waits for its turn, or has had its answer. Over.
  void leave_line();
  /// Plans `retained_` on today's ring.
  Planned plan_again();

  DispatchContext& context_;
  std::string retained_;  // the payload, where it may have to be sent (again)

 private:
  /// Planned again, it is for another shard, perhaps.
  virtual void aim(const Planned& planned) = 0;
  /// One that was held, or has waited for its turn, is sent as planned. It aims.
  virtual void send_held(Planned& planned) = 0;
  void go(Planned& planned);  ///< the same, or it waits for its turn
  void turn_has_come() final;
  void turn_is_late(std::chrono::milliseconds waited) final;
  void gate_has_changed() final;
  void shard_has_left() final;
  void begin_hold();
  void refuse(const fast::Error& error);
  /// Neither the answer nor a stream's next part has come in its time.
  virtual void answer_late() = 0;
  /// Over: nothing of it is anywhere else.
  virtual void release() = 0;
  void leave_hold();

  /// What the deadline in the wheel is of; an exchange waits for one thing at a time.
  enum class Awaited : std::uint8_t { nothing, gate, answer, more };
  void await(Awaited awaited, Clock::time_point until);

  Origin origin_;
  std::size_t written_ = 0;  // to the client
  Awaited awaited_ = Awaited::nothing;
};

}  // namespace router
